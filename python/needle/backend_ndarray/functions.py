"""Functions of arrays under NumPy's names: with `NDArray`'s operators, all that `Op.compute` may use.

Every function here does what the NumPy function of its name does, so that an op's ``compute`` runs on both array
libraries. The functions marked in `ARRAY_API` are that common ground.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..axes import Axes, normalize_axes
from . import device as devices
from .device import Device
from .dtypes import as_float, check_dtype, mask_dtype, promote
from .ndarray import NDArray, new
from .operands import as_number, broadcast_shape, same_device, together

__all__ = [
    "ARRAY_API",
    "abs",
    "add",
    "argmax",
    "array",
    "broadcast_to",
    "concatenate",
    "cos",
    "empty",
    "exp",
    "flip",
    "from_dlpack",
    "full",
    "log",
    "matmul",
    "max",
    "maximum",
    "min",
    "minimum",
    "one_hot",
    "ones",
    "relu",
    "reshape",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "stack",
    "sum",
    "take",
    "tanh",
    "transpose",
    "where",
    "zeros",
]

#: What `Op.compute` may call on ``array_api``, besides the operators ``+ - * / ** @ == != < <= > >=``, indexing with
#: slices, and the methods and attributes ``shape ndim size dtype device astype``.
ARRAY_API = [
    "abs",
    "add.at",
    "argmax",
    "array",
    "broadcast_to",
    "concatenate",
    "cos",
    "empty",
    "exp",
    "flip",
    "full",
    "log",
    "matmul",
    "max",
    "maximum",
    "min",
    "minimum",
    "ones",
    "reshape",
    "sign",
    "sin",
    "sqrt",
    "stack",
    "sum",
    "take",
    "tanh",
    "transpose",
    "where",
    "zeros",
]


def array(a: Any, dtype: Any = "float32", device: Device | None = None) -> NDArray:
    """A new array with the elements of `a`: float32 unless another dtype is asked for, whatever `a` holds."""
    return NDArray(a, device=device, dtype="float32" if dtype is None else dtype)


def empty(shape: int | Sequence[int], dtype: Any = "float32", device: Device | None = None) -> NDArray:
    """An array whose elements are not set yet."""
    device = device or devices.default_device()
    if not device.enabled():
        raise ValueError(f"device {device} is not available on this machine")
    extents = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(extent < 0 for extent in extents):
        raise ValueError(f"a shape has no negative extents, got {extents}")
    return new(extents, check_dtype(dtype), device)


def full(
    shape: int | Sequence[int], fill_value: float, dtype: Any = "float32", device: Device | None = None
) -> NDArray:
    """An array of one number."""
    out = empty(shape, dtype=dtype, device=device)
    out.fill(fill_value)
    return out


def zeros(shape: int | Sequence[int], dtype: Any = "float32", device: Device | None = None) -> NDArray:
    """An array of zeros."""
    return full(shape, 0, dtype, device)


def ones(shape: int | Sequence[int], dtype: Any = "float32", device: Device | None = None) -> NDArray:
    """An array of ones."""
    return full(shape, 1, dtype, device)


def from_dlpack(x: Any) -> NDArray:
    """An array over another library's memory (DLPack): shared if it is writable and row-major, else copied."""
    source = np.from_dlpack(x)
    dtype = check_dtype(source.dtype)
    if source.flags.writeable and source.flags.c_contiguous:
        device = devices.default_device()
        return NDArray.make(source.shape, device=device, handle=device.Array.borrow(source))
    return NDArray(source, dtype=dtype)


def one_hot(n: int, i: Any, dtype: Any = "float32", device: Device | None = None) -> NDArray:
    """Rows of the identity: shape ``(*i.shape, n)``, 1 at each index of `i` (whole numbers of any dtype)."""
    device = device or (i.device if isinstance(i, NDArray) else devices.default_device())
    indices = i if isinstance(i, NDArray) and i.device == device else _indices(i, device)
    out = new((indices.size, n), check_dtype(dtype), device)
    device.set_one_hot(indices.flat._view, out._view)
    return out.reshape((*indices.shape, n))


def _indices(i: Any, device: Device) -> NDArray:
    """`i` as an int64 array; indices may be floats that hold whole numbers."""
    values = np.asarray(i)
    with np.errstate(invalid="ignore"):  # NaN becomes some integer, which differs from it
        whole = values.astype(np.int64, copy=False)
    if whole is not values and not np.array_equal(whole, values):
        raise IndexError(f"indices must be whole numbers, got {values[whole != values].flat[0]}")
    return NDArray(whole, device=device, dtype="int64")


# Elementwise ----------------------------------------------------------------------------------------------------------


def exp(a: NDArray) -> NDArray:
    """Exponential of every element."""
    return a.exp()


def log(a: NDArray) -> NDArray:
    """Natural logarithm of every element."""
    return a.log()


def tanh(a: NDArray) -> NDArray:
    """Hyperbolic tangent of every element."""
    return a.tanh()


def _in_float(a: NDArray) -> NDArray:
    return a.astype(as_float(a.dtype))


def sqrt(a: NDArray) -> NDArray:
    """Square root of every element."""
    return _in_float(a)._unary(a.device.ewise_sqrt)


def sin(a: NDArray) -> NDArray:
    """Sine of every element."""
    return _in_float(a)._unary(a.device.ewise_sin)


def cos(a: NDArray) -> NDArray:
    """Cosine of every element."""
    return _in_float(a)._unary(a.device.ewise_cos)


def sigmoid(a: NDArray) -> NDArray:
    """1 / (1 + exp(-a)) of every element."""
    return _in_float(a)._unary(a.device.ewise_sigmoid)


def relu(a: NDArray) -> NDArray:
    """max(a, 0) of every element."""
    return a if a.dtype == "bool" else a._unary(a.device.ewise_relu)


def sign(a: NDArray) -> NDArray:
    """-1, 0 or 1: the sign of every element."""
    return a if a.dtype == "bool" else a._unary(a.device.ewise_sign)


def abs(a: NDArray) -> NDArray:
    """Absolute value of every element."""
    return a.__abs__()


def maximum(a: NDArray, b: Any) -> NDArray:
    """The larger of the two, elementwise."""
    return a.maximum(b)


def minimum(a: NDArray, b: Any) -> NDArray:
    """The smaller of the two, elementwise."""
    return a.minimum(b)


def where(condition: NDArray, a: Any, b: Any) -> NDArray:
    """Elements of `a` where `condition` is not 0, of `b` elsewhere; `a` or `b` may be a number."""
    arrays = [x for x in (a, b) if isinstance(x, NDArray)]
    like = arrays[0] if arrays else condition.astype(mask_dtype(condition.dtype))
    a, b = _like(a, like), _like(b, like)
    a, b = together("where", a, b)
    same_device("where", condition, a)
    shape = broadcast_shape("where", condition.shape, a.shape)
    out = new(shape, a.dtype, a.device)
    chosen = condition.astype("bool").broadcast_to(shape)
    a.device.where(chosen._view, a.broadcast_to(shape)._view, b.broadcast_to(shape)._view, out._view)
    return out


def _like(value: Any, like: NDArray) -> NDArray:
    """A number as an array of one element in the dtype (weakly) of `like`; an array as it is."""
    if isinstance(value, NDArray):
        return value
    number = as_number(value)
    dtype = "float32" if isinstance(number, float) and not like.dtype.startswith("float") else like.dtype
    return full((), number, dtype, like.device) if number is not None else array(value, device=like.device)


class _Add:
    """``add(a, b)`` is a + b; ``add.at(a, indices, b)`` adds ``b[j]`` to ``a[indices[j]]`` in place, as in NumPy."""

    def __call__(self, a: NDArray, b: Any) -> NDArray:
        return a + b  # type: ignore[no-any-return]

    def at(self, a: NDArray, indices: Any, b: NDArray) -> None:
        """For every j in order: ``a[indices[j]] += b[j]``, along the first axis; indices may repeat."""
        positions = _wrapped(indices, a.shape[0], a.device)
        values = b.astype(a.dtype).broadcast_to((positions.size, *a.shape[1:]))
        a.device.scatter_add(values._view, positions._view, 0, a._view)


add = _Add()


def matmul(a: NDArray, b: NDArray) -> NDArray:
    """Matrix product of the last two axes."""
    return a @ b


# Reductions -----------------------------------------------------------------------------------------------------------


def sum(a: NDArray, axis: Axes = None, keepdims: bool = False) -> NDArray:
    """Sum over `axis`."""
    return a.sum(axis, keepdims)


def max(a: NDArray, axis: Axes = None, keepdims: bool = False) -> NDArray:
    """Largest element over `axis`."""
    return a.max(axis, keepdims)


def min(a: NDArray, axis: Axes = None, keepdims: bool = False) -> NDArray:
    """Smallest element over `axis`."""
    return a.min(axis, keepdims)


def argmax(a: NDArray, axis: Axes = None, keepdims: bool = False) -> NDArray:
    """Position of the first largest element over `axis`."""
    return a.argmax(axis, keepdims)


# Shape ----------------------------------------------------------------------------------------------------------------


def reshape(a: NDArray, new_shape: Any) -> NDArray:
    """The same elements in another shape."""
    return a.reshape(new_shape)


def transpose(a: NDArray, axes: Sequence[int] | None = None) -> NDArray:
    """The axes in a new order, reversed by default."""
    return a.transpose(axes)


def broadcast_to(a: NDArray, shape: Sequence[int]) -> NDArray:
    """Repeat along axes of extent 1 and new ones in front."""
    return a.broadcast_to(shape)


def flip(a: NDArray, axis: Axes = None) -> NDArray:
    """Reverse the order along `axis`."""
    return a.flip(axis)


def concatenate(arrays: Sequence[NDArray], axis: int = 0) -> NDArray:
    """Arrays one after another along an axis that they have."""
    _some("concatenate", arrays)
    first = arrays[0]
    dtype = first.dtype
    for a in arrays[1:]:
        dtype = promote(dtype, a.dtype)
    (axis,) = normalize_axes(axis, first.ndim, "concatenate")
    others = [n for i, n in enumerate(first.shape) if i != axis]
    if any(a.ndim != first.ndim or [n for i, n in enumerate(a.shape) if i != axis] != others for a in arrays):
        raise ValueError(f"concatenate: shapes {[a.shape for a in arrays]} differ in another axis than {axis}")
    total = math.fsum(a.shape[axis] for a in arrays)
    out = new((*first.shape[:axis], int(total), *first.shape[axis + 1 :]), dtype, first.device)
    start = 0
    for a in arrays:
        out[(slice(None),) * axis + (slice(start, start + a.shape[axis]),)] = a
        start += a.shape[axis]
    return out


def stack(arrays: Sequence[NDArray], axis: int = 0) -> NDArray:
    """Arrays of one shape one after another along a new axis."""
    _some("stack", arrays)
    if any(a.shape != arrays[0].shape for a in arrays):
        raise ValueError(f"stack: shapes {[a.shape for a in arrays]} differ")
    ndim = arrays[0].ndim + 1
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(f"stack: axis {axis} is out of bounds for a result with {ndim} axes")
    index = (*[slice(None)] * (axis % ndim), None)
    return concatenate([a[index] for a in arrays], axis)


def _some(name: str, arrays: Sequence[NDArray]) -> None:
    """Raise unless there are arrays to join, all on one device."""
    if not arrays:
        raise ValueError(f"{name}: needs at least one array")
    for a in arrays:
        same_device(name, arrays[0], a)


def take(a: NDArray, indices: Any, axis: int | None = None) -> NDArray:
    """Elements along `axis` (by default of the flat array) at `indices`; negative ones count from the end."""
    if axis is None:
        return take(a.flat, indices, 0)
    (axis,) = normalize_axes(axis, a.ndim, "take")
    chosen = np.asarray(indices)
    positions = _wrapped(chosen, a.shape[axis], a.device)
    out = new((*a.shape[:axis], positions.size, *a.shape[axis + 1 :]), a.dtype, a.device)
    a.device.gather(a._view, positions._view, axis, out._view)
    return out.reshape((*a.shape[:axis], *chosen.shape, *a.shape[axis + 1 :]))


def _wrapped(indices: Any, extent: int, device: Device) -> NDArray:
    """Flat int64 positions; negative indices count from the end, those outside raise IndexError."""
    positions = np.asarray(indices).reshape(-1)
    outside = (positions < -extent) | (positions >= extent)
    if outside.any():
        raise IndexError(f"index {positions[outside][0]} is out of bounds for an axis of extent {extent}")
    return _indices(np.where(positions < 0, positions + extent, positions), device)
