"""The initial weights of layers: Xavier (Glorot) and Kaiming (He) initialization.

Both choose the variance of the weights so that a signal keeps its scale from layer to layer. Xavier averages what the
forward and the backward pass ask for; Kaiming serves the forward pass and makes up for what the activation takes away.
"""

from __future__ import annotations

import math
from typing import Any

from ..autograd import Tensor
from .init_basic import rand, randn

#: By how much a unit-variance signal shrinks (in standard deviations) under each activation; the gain undoes it.
KAIMING_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3.0, "relu": math.sqrt(2.0)}


def xavier_uniform(
    fan_in: int, fan_out: int, gain: float = 1.0, shape: tuple[int, ...] | None = None, **kwargs: Any
) -> Tensor:
    """Draw weights from U(-a, a), a = gain * sqrt(6 / (fan_in + fan_out)).

    Parameters
    ----------
    fan_in, fan_out : int
        Number of inputs to, and outputs from, one unit.
    gain : float
        Factor for the activation that follows.
    shape : tuple of int, optional
        Shape of the weights, (fan_in, fan_out) by default.
    **kwargs
        ``device``, ``dtype`` and ``requires_grad``, as for `rand`.

    References
    ----------
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
    """
    a = gain * math.sqrt(6 / _fan_sum("xavier_uniform", fan_in, fan_out))
    return rand(*_or_fans(shape, fan_in, fan_out), low=-a, high=a, **kwargs)


def xavier_normal(
    fan_in: int, fan_out: int, gain: float = 1.0, shape: tuple[int, ...] | None = None, **kwargs: Any
) -> Tensor:
    """Draw weights from N(0, std^2), std = gain * sqrt(2 / (fan_in + fan_out)); see `xavier_uniform`."""
    std = gain * math.sqrt(2 / _fan_sum("xavier_normal", fan_in, fan_out))
    return randn(*_or_fans(shape, fan_in, fan_out), std=std, **kwargs)


def kaiming_uniform(
    fan_in: int, fan_out: int, shape: tuple[int, ...] | None = None, nonlinearity: str = "relu", **kwargs: Any
) -> Tensor:
    """Draw weights from U(-b, b), b = gain * sqrt(3 / fan_in), with gain = sqrt(2) for ReLU.

    Parameters
    ----------
    fan_in, fan_out : int
        Number of inputs to, and outputs from, one unit; a convolution has fan_in = C_in * K * K.
    shape : tuple of int, optional
        Shape of the weights, (fan_in, fan_out) by default.
    nonlinearity : str
        The activation that follows: one of `KAIMING_GAINS`.
    **kwargs
        ``device``, ``dtype`` and ``requires_grad``, as for `rand`.

    References
    ----------
    He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015.
    """
    gain = _kaiming_gain("kaiming_uniform", fan_in, nonlinearity)
    bound = gain * math.sqrt(3 / fan_in)
    return rand(*_or_fans(shape, fan_in, fan_out), low=-bound, high=bound, **kwargs)


def kaiming_normal(
    fan_in: int, fan_out: int, shape: tuple[int, ...] | None = None, nonlinearity: str = "relu", **kwargs: Any
) -> Tensor:
    """Draw weights from N(0, std^2), std = gain / sqrt(fan_in), with gain = sqrt(2) for ReLU; see `kaiming_uniform`."""
    gain = _kaiming_gain("kaiming_normal", fan_in, nonlinearity)
    return randn(*_or_fans(shape, fan_in, fan_out), std=gain / math.sqrt(fan_in), **kwargs)


def _or_fans(shape: tuple[int, ...] | None, fan_in: int, fan_out: int) -> tuple[int, ...]:
    return (fan_in, fan_out) if shape is None else shape


def _fan_sum(name: str, fan_in: int, fan_out: int) -> int:
    if fan_in < 0 or fan_out < 0 or fan_in + fan_out == 0:
        raise ValueError(f"{name}: fan_in and fan_out must be positive; got {fan_in} and {fan_out}")
    return fan_in + fan_out


def _kaiming_gain(name: str, fan_in: int, nonlinearity: str) -> float:
    if fan_in <= 0:
        raise ValueError(f"{name}: fan_in must be positive; got {fan_in}")
    if nonlinearity not in KAIMING_GAINS:
        raise ValueError(f"{name}: nonlinearity must be one of {sorted(KAIMING_GAINS)}; got {nonlinearity!r}")
    return KAIMING_GAINS[nonlinearity]
