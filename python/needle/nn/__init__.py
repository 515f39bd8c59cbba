"""Modules: layers that hold parameters, and what is built of them."""

from .basic import Dropout, Flatten, Identity, Linear, ReLU, Sigmoid, Tanh
from .containers import Residual, Sequential
from .loss import SoftmaxLoss
from .module import Module, Parameter
from .normalization import BatchNorm1d, BatchNorm2d, LayerNorm1d

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "Dropout",
    "Flatten",
    "Identity",
    "LayerNorm1d",
    "Linear",
    "Module",
    "Parameter",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "SoftmaxLoss",
    "Tanh",
]
