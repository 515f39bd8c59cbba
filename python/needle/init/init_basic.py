"""Tensors filled with constants, random draws and one-hot rows.

All randomness comes from NumPy's global generator: one call for one tensor, drawn in float64 and then cast. So
``np.random.seed(s)`` fixes every number, whatever the device, the dtype or the array library.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor
from ..backend_selection import Device, default_device
from ..batching import is_example
from ..ops import OneHot
from ..recording import each_time
from ..tensor import as_number


def rand(
    *shape: int,
    low: float = 0.0,
    high: float = 1.0,
    device: Device | None = None,
    dtype: str = "float32",
    requires_grad: bool = False,
) -> Tensor:
    """Draw from the uniform distribution U(low, high).

    Parameters
    ----------
    *shape : int
        The extents, as separate arguments: ``rand(3, 4)``.
    low, high : float
        The interval; a draw is ``low + (high - low) * u`` with ``u`` from ``np.random.rand``.
    device, dtype, requires_grad
        As for `Tensor`, here and in all functions of this module.
    """
    _check_shape("rand", shape)
    draw = each_time(lambda: np.asarray(np.random.rand(*shape) * (high - low) + low, dtype))
    return Tensor(draw, device=device, dtype=dtype, requires_grad=requires_grad)


def randn(
    *shape: int,
    mean: float = 0.0,
    std: float = 1.0,
    device: Device | None = None,
    dtype: str = "float32",
    requires_grad: bool = False,
) -> Tensor:
    """Draw from the normal distribution N(mean, std^2): ``mean + std * z`` with ``z`` from ``np.random.randn``."""
    _check_shape("randn", shape)
    draw = each_time(lambda: np.asarray(np.random.randn(*shape) * std + mean, dtype))
    return Tensor(draw, device=device, dtype=dtype, requires_grad=requires_grad)


def randb(
    *shape: int,
    p: float = 0.5,
    device: Device | None = None,
    dtype: str = "bool",
    requires_grad: bool = False,
) -> Tensor:
    """Draw from the Bernoulli distribution: true with probability `p`, where ``np.random.rand`` gives at most `p`."""
    _check_shape("randb", shape)
    draw = each_time(lambda: np.asarray(np.random.rand(*shape) <= p, dtype))
    return Tensor(draw, device=device, dtype=dtype, requires_grad=requires_grad)


def constant(
    *shape: int,
    c: float = 1.0,
    device: Device | None = None,
    dtype: str = "float32",
    requires_grad: bool = False,
) -> Tensor:
    """Fill a tensor with the number `c`."""
    _check_shape("constant", shape)
    array = (device or default_device()).full(shape, c, dtype=dtype)
    tensor: Tensor = Tensor.make_const(array, requires_grad=requires_grad)
    return tensor


def ones(*shape: int, device: Device | None = None, dtype: str = "float32", requires_grad: bool = False) -> Tensor:
    """Fill a tensor with ones."""
    return constant(*shape, c=1.0, device=device, dtype=dtype, requires_grad=requires_grad)


def zeros(*shape: int, device: Device | None = None, dtype: str = "float32", requires_grad: bool = False) -> Tensor:
    """Fill a tensor with zeros."""
    return constant(*shape, c=0.0, device=device, dtype=dtype, requires_grad=requires_grad)


def ones_like(
    array: Tensor, *, device: Device | None = None, dtype: str = "float32", requires_grad: bool = False
) -> Tensor:
    """Fill a tensor with ones, in the shape of `array` and on its device; float32 unless `dtype` says otherwise."""
    return _like(array, 1.0, device, dtype, requires_grad)


def zeros_like(
    array: Tensor, *, device: Device | None = None, dtype: str = "float32", requires_grad: bool = False
) -> Tensor:
    """Fill a tensor with zeros, in the shape of `array` and on its device; float32 unless `dtype` says otherwise."""
    return _like(array, 0.0, device, dtype, requires_grad)


def one_hot(
    n: int,
    i: Any,
    *,
    device: Device | None = None,
    dtype: str = "float32",
    requires_grad: bool = False,
) -> Tensor:
    """Turn class indices into rows of the identity matrix: ``out[..., j] = 1 if j == i[...] else 0``.

    Parameters
    ----------
    n : int
        Number of classes.
    i : int, sequence, array or Tensor
        Indices from 0 to n - 1, of any shape. Floats serve if they hold whole numbers, as labels often do.

    Returns
    -------
    Tensor
        Of shape ``(*i.shape, n)``. Without `device`, on the device of `i` if that is a Tensor.

    Raises
    ------
    IndexError
        If an index is not one of the n classes.
    """
    if device is None and isinstance(i, Tensor):
        device = i.device
    if isinstance(i, Tensor) and is_example(i):  # no values yet: an operator, which is applied to the whole batch
        return OneHot(n, dtype)(i)
    indices = i.realize_cached_data() if isinstance(i, Tensor) else i
    try:
        rows = (device or default_device()).one_hot(n, indices, dtype=dtype)
    except IndexError:
        raise _no_class(n, np.asarray(indices.numpy() if hasattr(indices, "numpy") else indices)) from None
    return Tensor.make_const(rows, requires_grad=requires_grad)


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
    from ..ops.matching import match

    start, stop = match(start, stop, "linspace")
    if dtype is None:
        dtype = start.dtype if start.dtype.startswith("float") else "float32"
    start, stop = start.astype(dtype), stop.astype(dtype)
    column = weights.reshape(-1, *[1] * start.ndim)
    w = Tensor(column, device=start.device, dtype=dtype, requires_grad=False)
    rest = Tensor(1 - column, device=start.device, dtype=dtype, requires_grad=False)
    return start * rest + stop * w  # type: ignore[no-any-return]


def _like(array: Tensor, c: float, device: Device | None, dtype: str, requires_grad: bool) -> Tensor:
    device = array.device if device is None else device
    return constant(*array.shape, c=c, device=device, dtype=dtype, requires_grad=requires_grad)


def _check_shape(name: str, shape: tuple[int, ...]) -> None:
    """Raise unless every extent is an int of at least 0."""
    for extent in shape:
        if not isinstance(extent, (int, np.integer)):
            raise TypeError(f"{name}: the shape is given as separate ints, as in {name}(3, 4); got {extent!r}")
        if extent < 0:
            raise ValueError(f"{name}: an extent is at least 0, but the shape is {shape}")


def _no_class(n: int, given: np.ndarray) -> IndexError:
    """Say which index of `given` is the first that is wrong, and what would be right."""
    given = np.atleast_1d(given)
    wrong = (given < 0) | (given >= n) | (given != np.trunc(given))
    position = tuple(int(axis[0]) for axis in np.nonzero(wrong))
    return IndexError(
        f"one_hot: index {given[position]} (at position {', '.join(map(str, position))}) is not "
        f"one of the {n} classes, which are the whole numbers from 0 to {n - 1}"
    )
