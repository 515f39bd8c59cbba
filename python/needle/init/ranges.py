"""Numbers at equal distances."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor
from ..backend_selection import Device
from ..ops.matching import match
from ..tensor import as_number


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1,
    *,
    device: Device | None = None,
    dtype: str = "float32",
    requires_grad: bool = False,
) -> Tensor:
    """Numbers at equal distances: start, start + step, start + 2 step, ... before `stop`.

    Parameters
    ----------
    start, stop, step : number
        As for Python's ``range``, fractions allowed: ``arange(n)`` counts from 0 to n - 1. With fractions, rounding
        may decide whether the last number is there, as in ``numpy.arange``; `linspace` says how many there are.
    device, dtype, requires_grad
        As for `Tensor`. The numbers are computed in float64 (integers exactly) and then cast.

    Raises
    ------
    TypeError
        If one of the three is no number: how many elements there are cannot depend on the data of a tensor.
    ValueError
        If the step is 0.
    """
    first, end = (0, start) if stop is None else (start, stop)
    for name, value in (("start", first), ("stop", end), ("step", step)):
        if as_number(value) is None:
            raise TypeError(f"arange: {name} must be a number, got {value!r}")
    if step == 0:
        raise ValueError("arange: a step of 0 never arrives; give a positive or a negative one")
    limits: list[Any] = [as_number(value) for value in (first, end, step)]
    numbers = np.arange(*limits).astype(dtype)
    return Tensor(numbers, device=device, dtype=dtype, requires_grad=requires_grad)


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    *,
    endpoint: bool = True,
    device: Device | None = None,
    dtype: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """`num` numbers at equal distances from `start` to `stop`: start (1 - w) + stop w, with weights w from 0 to 1.

    Parameters
    ----------
    start, stop : number or Tensor
        The ends. Of Tensors, whose shapes broadcast together, the result is differentiable with respect to both.
    num : int
        How many numbers, the ends included; 1 gives `start` alone, 0 none.
    endpoint : bool
        Whether `stop` is one of them; if not, the distances are those of one number more.
    device, dtype, requires_grad
        As for `Tensor`, float32 by default. Between Tensors the device is theirs, the dtype by default that of
        ``start + stop``, and the result requires a gradient if they do.

    Returns
    -------
    Tensor
        Of shape ``(num, *shape)``, where `shape` is that of ``start + stop``.

    Raises
    ------
    TypeError
        If `num` is no int, or an end neither a number nor a Tensor.
    ValueError
        If `num` is negative, the shapes do not broadcast, or `device` or `requires_grad` is given beside Tensors.
    """
    if isinstance(num, bool) or not isinstance(num, (int, np.integer)):
        raise TypeError(f"linspace: num is how many numbers there are, an int; got {num!r}")
    if num < 0:
        raise ValueError(f"linspace: num is how many numbers there are, at least 0; got {num}")
    for name, value in (("start", start), ("stop", stop)):
        if not isinstance(value, Tensor) and as_number(value) is None:
            raise TypeError(f"linspace: {name} must be a number or a Tensor, got {value!r}")
    if not (isinstance(start, Tensor) or isinstance(stop, Tensor)):
        dtype = dtype or "float32"
        numbers = np.linspace(start, stop, num, endpoint=endpoint).astype(dtype)
        return Tensor(numbers, device=device, dtype=dtype, requires_grad=requires_grad)
    if device is not None or requires_grad:
        raise ValueError("linspace: between Tensors device and requires_grad follow from theirs; do not give them")
    return _between(start, stop, np.linspace(0, 1, num, endpoint=endpoint), dtype)


def _between(start: Any, stop: Any, weights: np.ndarray, dtype: str | None) -> Tensor:
    """start (1 - w) + stop w for all weights w, along a new first axis."""
    start, stop = match(start, stop, "linspace")
    if dtype is None:
        dtype = start.dtype if start.dtype.startswith("float") else "float32"
    start, stop = start.astype(dtype), stop.astype(dtype)
    column = weights.reshape(-1, *[1] * start.ndim)
    w = Tensor(column, device=start.device, dtype=dtype, requires_grad=False)
    rest = Tensor(1 - column, device=start.device, dtype=dtype, requires_grad=False)
    return start * rest + stop * w  # type: ignore[no-any-return]
