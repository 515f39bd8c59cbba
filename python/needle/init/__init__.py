"""Tensors made from a shape: constants, random draws, and the initial weights of layers."""

from .init_basic import constant, one_hot, ones, ones_like, rand, randb, randn, zeros, zeros_like
from .init_initializers import kaiming_normal, kaiming_uniform, xavier_normal, xavier_uniform
from .ranges import arange, linspace

__all__ = [
    "arange",
    "constant",
    "kaiming_normal",
    "kaiming_uniform",
    "linspace",
    "one_hot",
    "ones",
    "ones_like",
    "rand",
    "randb",
    "randn",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
    "zeros_like",
]
