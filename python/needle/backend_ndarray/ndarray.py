"""NDArray: shape, strides and offset over a flat buffer.

Element ``(i, j, ...)`` of an array is element ``offset + i * strides[0] + j * strides[1] + ...`` of its buffer.
Changing shape, strides and offset gives another view of the same memory: `reshape`, `permute`, `broadcast_to`, slicing
and `flip` copy nothing. Arithmetic is one kernel call of the array's device on a new, compact array.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..axes import Axes, normalize_axes, with_extent_1, without
from . import device as devices
from .device import Device
from .dtypes import check_dtype, mask_dtype, scalar_dtype, sum_dtype
from .host import OnHost
from .indexing import flip_strides, index_view, normalize_slice
from .layout import broadcast_strides, check_permutation, check_writable, compact_strides, complete_shape, is_row_major
from .operands import as_number, exchanged, in_float, matmul_operands, not_bool, power_operands, same_device, together
from .writes import about_to_write, keepers


class NDArray(OnHost):
    """A multi-dimensional array on a device.

    Parameters
    ----------
    other : NDArray, numpy.ndarray, number or nested sequence
        What to copy. An NDArray keeps its dtype; anything else becomes `dtype`.
    device : Device, optional
        Where to put it: by default where `other` is, else ``default_device()``.
    dtype : str
        float32 by default, whatever `other` holds.

    Attributes
    ----------
    shape, strides : tuple of int
        Extents, and the distance between neighbours along each axis, in elements.
    offset : int
        Position of the first element in the buffer.
    dtype : str
        Name of the element type.
    device : Device
        Where the buffer lives.
    """

    __slots__ = ("__weakref__", "_view", "device", "dtype", "offset", "shape", "strides")

    __array_ufunc__ = None  # NumPy leaves `numpy_array + ndarray` to __radd__

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    dtype: str
    device: Device
    _view: Any

    def __init__(self, other: Any, device: Device | None = None, dtype: Any = None) -> None:
        if isinstance(other, NDArray):
            source = other.astype(other.dtype if dtype is None else check_dtype(dtype))
            target = other.device if device is None else device
            copied = source.to(target) if target != other.device else source.copy()
        else:
            target = device or devices.default_device()
            copied = _from_host(other, check_dtype("float32" if dtype is None else dtype), target)
        self._set(copied.shape, copied.strides, copied.offset, copied.dtype, copied.device, copied._view)

    def _set(
        self,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        offset: int,
        dtype: str,
        device: Device,
        view: Any,
    ) -> None:
        self.shape = shape
        self.strides = strides
        self.offset = offset
        self.dtype = dtype
        self.device = device
        self._view = view

    @staticmethod
    def make(
        shape: Sequence[int],
        strides: Sequence[int] | None = None,
        device: Device | None = None,
        handle: Any = None,
        offset: int = 0,
        dtype: str = "float32",
    ) -> NDArray:
        """An array over the buffer `handle`, or over a new, uninitialised one if there is none."""
        shape = tuple(shape)
        device = device or devices.default_device()
        if handle is None:
            return new(shape, dtype, device)
        strides = compact_strides(shape) if strides is None else tuple(strides)
        array = NDArray.__new__(NDArray)
        array._set(shape, strides, offset, handle.dtype, device, device.View(handle, shape, strides, offset))
        return array

    # What it is -------------------------------------------------------------------------------------------------------

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of its elements (a broadcast array occupies less)."""
        return self.size * np.dtype(self.dtype).itemsize

    @property
    def _handle(self) -> Any:
        """The buffer, which views share."""
        return self._view.handle

    def is_compact(self) -> bool:
        """Whether the elements fill the whole buffer in row-major order."""
        return self.strides == compact_strides(self.shape) and self.size == self._handle.size

    # Another view of the same memory ----------------------------------------------------------------------------------

    def as_strided(self, shape: Sequence[int], strides: Sequence[int], offset: int | None = None) -> NDArray:
        """Another view of the same buffer; its elements must lie inside it."""
        shape, strides = tuple(shape), tuple(strides)
        start = self.offset if offset is None else offset
        array = NDArray.__new__(NDArray)
        view = self.device.View(self._view.handle, shape, strides, start)
        array._set(shape, strides, start, self.dtype, self.device, view)
        return array

    def reshape(self, new_shape: Any, *more: int) -> NDArray:
        """The same elements in row-major order in another shape, of which one extent may be -1.

        A view where the elements lie in memory in that order without gaps, or the array itself if it has that shape;
        a copy where they do not.
        """
        shape = (new_shape, *more) if more or isinstance(new_shape, int) else tuple(new_shape)
        shape = complete_shape(shape, self.shape)
        if shape == self.shape:
            return self
        source = self if is_row_major(self.shape, self.strides) else self.copy()
        return source.as_strided(shape, compact_strides(shape))

    @property
    def flat(self) -> NDArray:
        """The elements in row-major order along one axis."""
        return self.reshape((self.size,))

    def permute(self, axes: Sequence[int]) -> NDArray:
        """The axes in a new order: axis i of the result is axis ``axes[i]``."""
        order = check_permutation(tuple(axes), self.shape)
        return self.as_strided([self.shape[i] for i in order], [self.strides[i] for i in order])

    def transpose(self, axes: Sequence[int] | None = None) -> NDArray:
        """`permute`, as NumPy names it; reverses the axes by default."""
        return self.permute(tuple(reversed(range(self.ndim))) if axes is None else axes)

    @property
    def T(self) -> NDArray:  # noqa: N802  (NumPy's name)
        """The array with its axes reversed."""
        return self.transpose()

    def broadcast_to(self, shape: Sequence[int]) -> NDArray:
        """Repeat along axes of extent 1, and along new ones in front: there the stride is 0."""
        shape = tuple(shape)
        if shape == self.shape:
            return self
        return self.as_strided(shape, broadcast_strides(self.shape, self.strides, shape))

    def flip(self, axes: Axes = None) -> NDArray:
        """Reverse the order along `axes` (all by default): negative strides, from the last element."""
        return self.as_strided(
            self.shape, *flip_strides(self.shape, self.strides, self.offset, normalize_axes(axes, self.ndim, "flip"))
        )

    # Indexing ---------------------------------------------------------------------------------------------------------

    def process_slice(self, sl: slice, dim: int) -> slice:
        """`sl` along axis `dim` with start, stop and step filled in; an empty selection has stop = start."""
        return normalize_slice(sl, self.shape[dim])

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d array")
        return self.shape[0]

    def __iter__(self) -> Iterator[NDArray]:
        """The sub-arrays along the first axis, without that axis."""
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i].reshape(self.shape[1:]) for i in range(self.shape[0]))

    def __getitem__(self, index: Any) -> NDArray:
        """A view by ints, slices, None and Ellipsis. An int keeps its axis, with extent 1 (the course's convention)."""
        return self.as_strided(*index_view(self.shape, self.strides, self.offset, index))

    def __setitem__(self, index: Any, value: Any) -> None:
        """Write a number, or an array that broadcasts, to the elements that ``self[index]`` views."""
        target = self[index]
        if isinstance(value, (int, float)):
            target.fill(value)
            return
        source = value if isinstance(value, NDArray) else NDArray(value, device=self.device, dtype=self.dtype)
        same_device("setitem", self, source)
        if source._handle is target._handle or source._handle.ptr() == target._handle.ptr():
            source = source.copy()
        while source.ndim > target.ndim and source.shape[0] == 1:
            source = source.reshape(source.shape[1:])
        check_writable(target.shape, target.strides)
        if keepers:
            about_to_write(self._handle)
        self.device.copy(source.broadcast_to(target.shape)._view, target._view)

    # Copies -----------------------------------------------------------------------------------------------------------

    def copy(self) -> NDArray:
        """A compact array of its own with these elements."""
        return self._cast(self.dtype)

    def compact(self) -> NDArray:
        """The array itself if it is compact, else a copy."""
        return self if self.is_compact() else self.copy()

    def astype(self, dtype: Any) -> NDArray:
        """The elements in another dtype; the array itself if it has that dtype."""
        name = check_dtype(dtype)
        return self if name == self.dtype else self._cast(name)

    def _cast(self, dtype: str) -> NDArray:
        out = new(self.shape, dtype, self.device)
        self.device.copy(self._view, out._view)
        return out

    def to(self, device: Device) -> NDArray:
        """The array on another device; the array itself if it is there."""
        return self if device == self.device else _from_host(self.as_numpy(), self.dtype, device)

    def fill(self, value: float) -> None:
        """Set every element to `value`."""
        check_writable(self.shape, self.strides)
        if keepers:
            about_to_write(self._handle)
        self.device.fill(self._view, value)

    # Elementwise arithmetic -------------------------------------------------------------------------------------------

    def ewise_or_scalar(
        self,
        other: Any,
        ewise: Callable[..., None],
        scalar: Callable[..., None],
        result: Callable[[str], str] | None = None,
    ) -> NDArray:
        """Apply kernel `ewise` if `other` is an array, `scalar` if it is a number, to a new array.

        `result` gives the dtype of the output where it is not that of the operands.
        """
        if isinstance(other, NDArray):
            a, b = self, other
            if a.shape != b.shape or a.dtype != b.dtype or a.device is not b.device:
                a, b = together(ewise.__name__, a, b)
            out = new(a.shape, a.dtype if result is None else result(a.dtype), a.device)
            ewise(a._view, b._view, out._view)
            return out
        number = as_number(other)
        if number is None:
            if not isinstance(other, (np.ndarray, list, tuple)):
                return NotImplemented  # type: ignore[no-any-return]
            return self.ewise_or_scalar(NDArray(other, device=self.device), ewise, scalar, result)
        dtype = scalar_dtype(self.dtype, number)
        a = self if dtype == self.dtype else self._cast(dtype)
        out = new(a.shape, dtype if result is None else result(dtype), a.device)
        scalar(a._view, number, out._view)
        return out

    def __add__(self, other: Any) -> NDArray:
        return self.ewise_or_scalar(other, self.device.ewise_add, self.device.scalar_add)

    def __mul__(self, other: Any) -> NDArray:
        return self.ewise_or_scalar(other, self.device.ewise_mul, self.device.scalar_mul)

    def __sub__(self, other: Any) -> NDArray:
        not_bool("subtract", self, other)
        return self.ewise_or_scalar(other, self.device.ewise_sub, self.device.scalar_sub)

    def __rsub__(self, other: Any) -> NDArray:
        not_bool("subtract", self, other)
        reverse = exchanged(self.device.ewise_sub)
        return self.ewise_or_scalar(other, reverse, self.device.scalar_rsub)

    def __truediv__(self, other: Any) -> NDArray:
        a, b = in_float(self), in_float(other)
        return a.ewise_or_scalar(b, self.device.ewise_div, self.device.scalar_div)

    def __rtruediv__(self, other: Any) -> NDArray:
        reverse = exchanged(self.device.ewise_div)
        return in_float(self).ewise_or_scalar(in_float(other), reverse, self.device.scalar_rdiv)

    def __pow__(self, other: Any) -> NDArray:
        a, b = power_operands(self, other)
        return a.ewise_or_scalar(b, self.device.ewise_power, self.device.scalar_power)  # type: ignore[no-any-return]

    def __rpow__(self, other: Any) -> NDArray:
        b, a = power_operands(other, self)
        reverse = exchanged(self.device.ewise_power)
        return a.ewise_or_scalar(b, reverse, self.device.scalar_rpower)  # type: ignore[no-any-return]

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> NDArray:
        not_bool("negative", self)
        return self._unary(self.device.ewise_neg)

    def __abs__(self) -> NDArray:
        return self if self.dtype == "bool" else self._unary(self.device.ewise_abs)

    def _unary(self, kernel: Callable[..., None]) -> NDArray:
        out = new(self.shape, self.dtype, self.device)
        kernel(self._view, out._view)
        return out

    def maximum(self, other: Any) -> NDArray:
        """The larger of the two, elementwise; NaN if either is."""
        return self.ewise_or_scalar(other, self.device.ewise_maximum, self.device.scalar_maximum)

    def minimum(self, other: Any) -> NDArray:
        """The smaller of the two, elementwise; NaN if either is."""
        return self.ewise_or_scalar(other, self.device.ewise_minimum, self.device.scalar_minimum)

    def log(self) -> NDArray:
        """Natural logarithm of every element."""
        return in_float(self)._unary(self.device.ewise_log)

    def exp(self) -> NDArray:
        """Exponential of every element."""
        return in_float(self)._unary(self.device.ewise_exp)

    def tanh(self) -> NDArray:
        """Hyperbolic tangent of every element."""
        return in_float(self)._unary(self.device.ewise_tanh)

    # Comparisons: 1 where they hold, 0 where not, as floats -----------------------------------------------------------

    def __eq__(self, other: object) -> NDArray:  # type: ignore[override]
        return self.ewise_or_scalar(other, self.device.ewise_eq, self.device.scalar_eq, mask_dtype)

    def __ne__(self, other: object) -> NDArray:  # type: ignore[override]
        return self.ewise_or_scalar(other, self.device.ewise_ne, self.device.scalar_ne, mask_dtype)

    def __ge__(self, other: Any) -> NDArray:
        return self.ewise_or_scalar(other, self.device.ewise_ge, self.device.scalar_ge, mask_dtype)

    def __gt__(self, other: Any) -> NDArray:
        return self.ewise_or_scalar(other, self.device.ewise_gt, self.device.scalar_gt, mask_dtype)

    def __le__(self, other: Any) -> NDArray:
        return self.ewise_or_scalar(other, self.device.ewise_le, self.device.scalar_le, mask_dtype)

    def __lt__(self, other: Any) -> NDArray:
        return self.ewise_or_scalar(other, self.device.ewise_lt, self.device.scalar_lt, mask_dtype)

    __hash__ = None  # type: ignore[assignment]

    # Matrix product ---------------------------------------------------------------------------------------------------

    def __matmul__(self, other: NDArray) -> NDArray:
        """Matrix product of the last two axes, (..., m, k) times (..., k, n); leading axes broadcast."""
        if not isinstance(other, NDArray):
            return NotImplemented
        a, b = self, other
        simple = a.dtype == b.dtype != "bool" and a.device is b.device and len(a.shape) == len(b.shape) == 2
        if not simple:
            a, b = matmul_operands(a, b)
        if a.shape[-1] != b.shape[-2]:
            raise ValueError(
                f"matmul: {self.shape} and {other.shape} do not fit: {a.shape[-1]} columns meet {b.shape[-2]} rows"
            )
        out = new((*a.shape[:-1], b.shape[-1]), a.dtype, a.device)
        a.device.matmul(a._view, b._view, out._view)
        return out

    # Reductions -------------------------------------------------------------------------------------------------------

    def sum(self, axis: Axes = None, keepdims: bool = False) -> NDArray:
        """Sum over `axis` (an int, several, or all); of integers in int64."""
        return self._reduce("reduce_sum", axis, keepdims, sum_dtype(self.dtype))

    def max(self, axis: Axes = None, keepdims: bool = False) -> NDArray:
        """Largest element over `axis`; NaN if there is one."""
        return self._reduce("reduce_max", axis, keepdims, self.dtype)

    def min(self, axis: Axes = None, keepdims: bool = False) -> NDArray:
        """Smallest element over `axis`; NaN if there is one."""
        return self._reduce("reduce_min", axis, keepdims, self.dtype)

    def argmax(self, axis: Axes = None, keepdims: bool = False) -> NDArray:
        """Position (int64) of the first largest element over `axis`, counted in row-major order over several axes."""
        return self._reduce("reduce_argmax", axis, keepdims, "int64")

    def _reduce(self, kernel: str, axis: Axes, keepdims: bool, dtype: str) -> NDArray:
        name = kernel.removeprefix("reduce_")
        axes = normalize_axes(axis, len(self.shape), name)
        kept = with_extent_1(self.shape, axes)
        if name != "sum" and 0 in self.shape and 0 not in kept:
            raise ValueError(f"{name}: no element to choose from, in shape {self.shape} over axes {axes}")
        out = new(kept, dtype, self.device)
        getattr(self.device, kernel)(self._view, out._view)
        return out if keepdims else out.reshape(without(self.shape, axes))

    def pad(self, axes: Sequence[tuple[int, int]]) -> NDArray:
        """Zeros around: ``axes[i]`` says how many before and after along axis i."""
        if len(axes) != self.ndim or any(before < 0 or after < 0 for before, after in axes):
            raise ValueError(f"pad: needs a pair (before, after) of counts for each axis of {self.shape}, got {axes}")
        out = new(tuple(n + before + after for n, (before, after) in zip(self.shape, axes)), self.dtype, self.device)
        out.fill(0)
        out[tuple(slice(before, before + n) for n, (before, _) in zip(self.shape, axes))] = self
        return out


def new(shape: tuple[int, ...], dtype: str, device: Device) -> NDArray:
    """A compact array whose elements are not set yet."""
    array = NDArray.__new__(NDArray)
    array.shape = shape
    array.strides = compact_strides(shape)
    array.offset = 0
    array.dtype = dtype
    array.device = device
    array._view = device.View.alloc(shape, dtype)
    return array


def _from_host(values: Any, dtype: str, device: Device) -> NDArray:
    """A new array on `device` with the elements of `values`, which NumPy reads."""
    if not device.enabled():
        raise ValueError(f"device {device} is not available on this machine")
    source = np.asarray(values)
    if source.dtype.kind not in "biuf":
        raise TypeError(f"cannot make an array of numbers from {type(values).__name__} of NumPy dtype {source.dtype}")
    if isinstance(values, (int, list, tuple)):  # Python's numbers: NumPy refuses those that the dtype cannot hold
        source = np.asarray(values, dtype)
    out = new(source.shape, dtype, device)
    device.from_numpy(source.astype(dtype, copy=False), out._view)
    return out
