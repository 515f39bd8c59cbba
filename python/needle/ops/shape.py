"""The same elements in another shape, order or dtype; and joining, splitting and spreading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import TensorOp, TensorTuple, TensorTupleOp
from ..axes import Axes, normalize_axes
from ..backend_selection import array_api
from ..batching import all_batched
from ..tensor import Tensor
from .matching import promote
from .reduce import sum_to
from .rules import AlongAxes, Elementwise, Linear, behind

__all__ = [
    "BroadcastTo",
    "Cast",
    "Concatenate",
    "Dilate",
    "Flip",
    "Permute",
    "Reshape",
    "Split",
    "Stack",
    "Transpose",
    "UnDilate",
    "broadcast_to",
    "cast",
    "concatenate",
    "dilate",
    "flip",
    "ones_like",
    "permute",
    "reshape",
    "split",
    "stack",
    "transpose",
    "undilate",
    "zeros_like",
]


class Transpose(Linear, AlongAxes, TensorOp):
    """Two axes swapped (the last two by default); the adjoint is swapped back."""

    def __init__(self, axes: tuple[int, int] | None = None) -> None:
        self.axes = axes

    def compute(self, a: Any) -> Any:
        """A view of `a` with the two axes swapped."""
        if self.axes is None and a.ndim < 2:
            raise ValueError(f"transpose: an array of shape {a.shape} has no two axes to swap")
        first, second = normalize_axes((-2, -1) if self.axes is None else self.axes, a.ndim, "transpose")
        order = list(range(a.ndim))
        order[first], order[second] = second, first
        return array_api.transpose(a, order)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """Swapping the same axes again."""
        return transpose(out_grad, self.axes)

    def behind_first_axis(self, ndim: int) -> Transpose:
        """The same swap with one axis more in front."""
        return Transpose(None if self.axes is None else (behind(self.axes[0]), behind(self.axes[1])))


def transpose(a: Tensor, axes: tuple[int, int] | None = None) -> Tensor:
    """Swap two axes, the last two by default."""
    if axes is not None and len(axes) != 2:
        raise ValueError(f"transpose swaps two axes, got {axes}; ndl.permute reorders all of them")
    return Transpose(axes)(a)


class Permute(Linear, AlongAxes, TensorOp):
    """All axes in a new order; the adjoint is put back in the old one."""

    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = axes

    def compute(self, a: Any) -> Any:
        """A view of `a`: axis i of the output is axis axes[i] of `a`."""
        return array_api.transpose(a, self.axes)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """The inverse permutation."""
        return permute(out_grad, tuple(int(i) for i in np.argsort(self.axes)))

    def behind_first_axis(self, ndim: int) -> Permute:
        """The same order with one axis more in front."""
        return Permute((0, *(axis % ndim + 1 for axis in self.axes)))


def permute(a: Tensor, axes: Sequence[int]) -> Tensor:
    """Reorder all axes: axis i of the result is axis ``axes[i]`` of `a`."""
    order = tuple(_axis(axis, a.ndim, "permute") for axis in axes)
    if sorted(order) != list(range(a.ndim)):
        raise ValueError(f"permute: {tuple(axes)} is no permutation of the axes of a tensor of shape {a.shape}")
    return Permute(order)(a)


class Reshape(Linear, TensorOp):
    """The same elements, in row-major order, in another shape; the adjoint gets the old shape."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def compute(self, a: Any) -> Any:
        """`a` in the new shape."""
        return array_api.reshape(a, self.shape)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """The adjoint in the shape of the input."""
        return reshape(out_grad, node.inputs[0].shape)

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Tensor:
        """Each example in the new shape."""
        shape = np.broadcast_to(0, inputs[0].shape[1:]).reshape(self.shape).shape
        return Reshape((size, *shape))(*inputs)


def reshape(a: Tensor, shape: int | Sequence[int]) -> Tensor:
    """The same elements in row-major order in another shape; one extent may be -1."""
    return Reshape((shape,) if isinstance(shape, int) else tuple(shape))(a)


class BroadcastTo(Linear, TensorOp):
    """Repeated along axes of extent 1 and along new ones in front; the adjoint is summed over them."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def compute(self, a: Any) -> Any:
        """A view of `a` that repeats without copying."""
        return array_api.broadcast_to(a, self.shape)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """An element that was used several times gets the sum of the adjoints of its uses."""
        return sum_to(out_grad, node.inputs[0].shape)

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Tensor:
        """New axes go between the examples and their own axes."""
        shape = inputs[0].shape[1:]
        aligned = reshape(inputs[0], (size, *[1] * (len(self.shape) - len(shape)), *shape))
        return BroadcastTo((size, *self.shape))(aligned)


def broadcast_to(a: Tensor, shape: Sequence[int]) -> Tensor:
    """Repeat along axes of extent 1, and along new ones in front, up to `shape`."""
    return BroadcastTo(tuple(shape))(a)


class Cast(Elementwise, TensorOp):
    """The elements in another dtype; the adjoint is cast back."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def compute(self, a: Any) -> Any:
        """`a` in the new dtype."""
        return a.astype(self.dtype)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """The adjoint in the dtype of a float input; an integer input's stays as it is (it may hold fractions)."""
        dtype = node.inputs[0].dtype
        return cast(out_grad, dtype) if dtype.startswith("float") else out_grad

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """The tangent in the dtype of a float output; an integer output's stays as it is."""
        (da,) = tangents
        return cast(da, self.dtype) if self.dtype.startswith("float") else da


def cast(a: Tensor, dtype: str) -> Tensor:
    """`a` in another dtype; `a` itself if it has that dtype."""
    return a if a.dtype == dtype else Cast(dtype)(a)


class Stack(Linear, AlongAxes, TensorOp):
    """Tensors of one shape joined along a new axis; the adjoint is split into them again."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def compute(self, arrays: tuple[Any, ...]) -> Any:
        """The arrays, one after another, along a new axis."""
        if not arrays or any(a.shape != arrays[0].shape for a in arrays):
            raise ValueError(f"stack: needs one or more tensors of one shape, got {[a.shape for a in arrays]}")
        return array_api.stack(arrays, self.axis)

    def gradient(self, out_grad: Tensor, node: Tensor) -> TensorTuple:
        """Slice i of the adjoint belongs to tensor i."""
        return split(out_grad, self.axis)

    def behind_first_axis(self, ndim: int) -> Stack:
        """The same new axis, with one axis more in front."""
        return Stack(behind(self.axis))


def stack(args: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis."""
    from .tuples import make_tuple

    if not args:
        raise ValueError("stack: needs at least one tensor")
    return Stack(axis)(args if isinstance(args, TensorTuple) else make_tuple(*promote(*args)))


class Split(Linear, AlongAxes, TensorTupleOp):
    """The slices along an axis, which is removed; the adjoints are stacked again."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def compute(self, a: Any) -> tuple[Any, ...]:
        """A tuple of views of `a`."""
        axis = _axis(self.axis, a.ndim, "split")
        shape = a.shape[:axis] + a.shape[axis + 1 :]
        return tuple(array_api.reshape(a[section(axis, i, i + 1)], shape) for i in range(a.shape[axis]))

    def gradient(self, out_grad: TensorTuple, node: TensorTuple) -> Tensor:
        """The adjoints of the slices, stacked along the axis."""
        return stack(out_grad, self.axis)  # type: ignore[arg-type]

    def behind_first_axis(self, ndim: int) -> Split:
        """The same axis, with one axis more in front."""
        return Split(behind(self.axis))


def split(a: Tensor, axis: int = 0) -> TensorTuple:
    """The slices of `a` along `axis`, each without that axis, as a TensorTuple."""
    return Split(axis)(a)


class Concatenate(Linear, TensorOp):
    """Tensors joined along an axis that they have; each adjoint is a section of the output's."""

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def compute(self, *arrays: Any) -> Any:
        """The arrays, one after another, along the axis."""
        return array_api.concatenate(arrays, self.axis)

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, ...]:
        """Each input gets its own section of the adjoint."""
        from .indexing import getitem

        axis = _axis(self.axis, out_grad.ndim, "concatenate")
        sections, start = [], 0
        for x in node.inputs:
            stop = start + x.shape[axis]
            sections.append(getitem(out_grad, section(axis, start, stop)))
            start = stop
        return tuple(sections)

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Tensor:
        """The same axis, with one axis more in front."""
        return Concatenate(behind(self.axis))(*all_batched(inputs, batched, size))


def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Join tensors along `axis`; all other extents must agree."""
    tensors = tuple(tensors)
    if not tensors:
        raise ValueError("concatenate: needs at least one tensor")
    for x in tensors:
        position = _axis(axis, x.ndim, "concatenate")
        if [*x.shape[:position], *x.shape[position + 1 :]] != [
            *tensors[0].shape[:position],
            *tensors[0].shape[position + 1 :],
        ]:
            raise ValueError(
                f"concatenate: shapes {', '.join(str(t.shape) for t in tensors)} differ in another axis than {axis}"
            )
    return Concatenate(axis)(*promote(*tensors))


class Flip(Linear, AlongAxes, TensorOp):
    """Elements in reverse order along some axes; so is the adjoint."""

    def __init__(self, axes: Axes = None) -> None:
        self.axes = axes

    def compute(self, a: Any) -> Any:
        """A view of `a` with strides reversed."""
        return array_api.flip(a, normalize_axes(self.axes, a.ndim, "flip"))

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """Flipping the same axes again."""
        return flip(out_grad, self.axes)

    def behind_first_axis(self, ndim: int) -> Flip:
        """The same axes, with one axis more in front."""
        return Flip(tuple(axis + 1 for axis in normalize_axes(self.axes, ndim, "flip")))


def flip(a: Tensor, axes: Axes = None) -> Tensor:
    """Reverse the order of the elements along `axes` (all by default)."""
    return Flip(axes)(a)


class Dilate(Linear, AlongAxes, TensorOp):
    """`dilation` zeros after every element along some axes; the adjoint is read at the elements."""

    def __init__(self, axes: int | tuple[int, ...], dilation: int) -> None:
        self.axes = axes
        self.dilation = dilation

    def compute(self, a: Any) -> Any:
        """Zeros of the larger shape, with `a` set at every (dilation + 1)-th place."""
        step = self.dilation + 1
        axes = _existing_axes(self.axes, a.ndim)
        shape = tuple(n * step if axis in axes else n for axis, n in enumerate(a.shape))
        out = array_api.zeros(shape, dtype=a.dtype, device=a.device)
        out[tuple(slice(None, None, step) if axis in axes else slice(None) for axis in range(a.ndim))] = a
        return out

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """The elements of the adjoint at the places where `a` was set."""
        return undilate(out_grad, self.axes, self.dilation)

    def behind_first_axis(self, ndim: int) -> Dilate:
        """The same axes, with one axis more in front."""
        return Dilate(tuple(axis + 1 for axis in _existing_axes(self.axes, ndim)), self.dilation)


def dilate(a: Tensor, axes: int | tuple[int, ...], dilation: int) -> Tensor:
    """Put `dilation` zeros after every element along `axes`; 0 changes nothing."""
    return Dilate(axes, _dilation(dilation))(a)


class UnDilate(Linear, AlongAxes, TensorOp):
    """Every (dilation + 1)-th element along some axes; the adjoint is dilated."""

    def __init__(self, axes: int | tuple[int, ...], dilation: int) -> None:
        self.axes = axes
        self.dilation = dilation

    def compute(self, a: Any) -> Any:
        """A strided view of `a`."""
        axes = _existing_axes(self.axes, a.ndim)
        step = slice(None, None, self.dilation + 1)
        return a[tuple(step if axis in axes else slice(None) for axis in range(a.ndim))]

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """Zeros at the elements that were dropped."""
        from .indexing import getitem

        dilated = dilate(out_grad, self.axes, self.dilation)
        return getitem(dilated, tuple(slice(0, n) for n in node.inputs[0].shape))

    def behind_first_axis(self, ndim: int) -> UnDilate:
        """The same axes, with one axis more in front."""
        return UnDilate(tuple(axis + 1 for axis in _existing_axes(self.axes, ndim)), self.dilation)


def undilate(a: Tensor, axes: int | tuple[int, ...], dilation: int) -> Tensor:
    """Keep every (dilation + 1)-th element along `axes`: the inverse of `dilate`."""
    return UnDilate(axes, _dilation(dilation))(a)


def zeros(shape: tuple[int, ...], dtype: str, device: Any) -> Tensor:
    """A constant tensor of zeros that takes the memory of one number."""
    return _filled(0, shape, dtype, device)


def zeros_like(a: Tensor) -> Tensor:
    """A constant tensor of zeros, of the shape, dtype and device of `a`."""
    return _filled(0, *a.spec)


def ones_like(a: Tensor) -> Tensor:
    """A constant tensor of ones, of the shape, dtype and device of `a`."""
    return _filled(1, *a.spec)


def _filled(value: float, shape: tuple[int, ...], dtype: str, device: Any) -> Tensor:
    one = Tensor(value, dtype=dtype, device=device, requires_grad=False)
    return one if shape == () else Tensor.make_const(array_api.broadcast_to(one.cached_data, shape))


def _axis(axis: int, ndim: int, name: str) -> int:
    return normalize_axes(axis, ndim, name)[0]


def section(axis: int, start: int, stop: int) -> tuple[slice, ...]:
    """The index of the elements start .. stop - 1 along `axis`."""
    return (*[slice(None)] * axis, slice(start, stop))


def _existing_axes(axes: int | tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """The axes among `axes` that the array has: dilation passes over the others."""
    given = (axes,) if isinstance(axes, int) else axes
    return tuple(axis % ndim for axis in given if -ndim <= axis < ndim)


def _dilation(dilation: int) -> int:
    if dilation < 0:
        raise ValueError(f"dilation is {dilation}; it counts the zeros after each element and cannot be negative")
    return dilation
