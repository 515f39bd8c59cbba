"""Optimizers, which change parameters by their gradients, and learning rate schedules."""

from .adam import Adam
from .optimizer import Optimizer
from .schedules import Schedule, constant, cosine, linear_warmup, step_decay
from .sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer", "Schedule", "constant", "cosine", "linear_warmup", "step_decay"]
