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
from ..recording import each_time, explaining


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
        with explaining():
            raise _no_class(n, np.asarray(indices.numpy() if hasattr(indices, "numpy") else indices)) from None
    return Tensor.make_const(rows, requires_grad=requires_grad)


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
