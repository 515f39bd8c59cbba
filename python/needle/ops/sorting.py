"""Order: sorting along an axis, the places of the elements in sorted order, and reading and adding at places.

NumPy on the host finds the order, on whatever device the tensor is: a compiled function cannot repeat that, and says
so.
"""

from __future__ import annotations

import operator
from functools import partial
from math import prod
from typing import Any, TypeVar

import numpy as np

from ..autograd import Spec, TensorOp
from ..axes import normalize_axes
from ..backend_selection import array_api, on_host
from ..batching import all_batched
from ..tensor import Tensor
from .matching import as_tensor
from .rules import AlongAxes, Constant, behind, changed

__all__ = [
    "ArgSort",
    "PutAlongAxis",
    "Sort",
    "TakeAlongAxis",
    "TopK",
    "argsort",
    "sort",
    "take_along_axis",
    "topk",
]


R = TypeVar("R", bound="_Ordered")


class _Ordered(AlongAxes, TensorOp):
    """What operators share that order the elements along an axis."""

    def __init__(self, axis: int = -1, descending: bool = False) -> None:
        self.axis = axis
        self.descending = descending

    def behind_first_axis(self: R, ndim: int) -> R:
        """The same axis, with one axis more in front."""
        return changed(self, axis=behind(self.axis))


class ArgSort(_Ordered, Constant):
    """Where the elements in sorted order stand, as int64; piecewise constant, so it has no gradient.

    The order is stable: equal elements (0 and -0 among them) keep theirs, in descending order too. NaN comes last.
    """

    def compute(self, a: Any) -> Any:
        """The indices, by NumPy."""
        return on_host(partial(_order, axis=self.axis, descending=self.descending), a)

    def infer(self, a: Spec) -> Spec:
        """The shape of the input."""
        return a._replace(dtype="int64")


def argsort(a: Tensor, axis: int | None = -1, descending: bool = False) -> Tensor:
    """Indices that sort `a` along an axis: ``take_along_axis(a, argsort(a, axis), axis)`` is ``sort(a, axis)``.

    Parameters
    ----------
    a : Tensor
        Of one axis or more.
    axis : int or None
        None flattens `a` first.
    descending : bool
        Whether the largest element comes first. NaN comes last in either order.

    Returns
    -------
    Tensor
        int64, of the shape of `a`. Equal elements keep their order. No gradient passes.
    """
    a, axis = _along(a, axis, "argsort")
    return ArgSort(axis, descending)(a)


class Sort(_Ordered):
    """The elements in order along an axis; each adjoint goes back to where the element stood.

    Of equal elements, the first takes the first adjoint: the order is that of `ArgSort`, stable and NaN last.
    """

    def compute(self, a: Any) -> Any:
        """The elements at the places that `ArgSort` gives."""
        return on_host(partial(_sorted, axis=self.axis, descending=self.descending), a)

    def infer(self, a: Spec) -> Spec:
        """As the input."""
        return a

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """Element i of the output is element order[i] of the input."""
        (a,) = node.inputs
        return PutAlongAxis(self.axis, a.shape[self.axis])(out_grad, self.order(a))

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """The tangents, in the order of the elements."""
        return TakeAlongAxis(self.axis)(tangents[0], self.order(node.inputs[0]))

    def order(self, a: Tensor) -> Tensor:
        """Where the elements of the output stand in `a`."""
        return ArgSort(self.axis, self.descending)(a)


def sort(a: Tensor, axis: int | None = -1, descending: bool = False) -> Tensor:
    """Elements in order along an axis.

    Parameters
    ----------
    a : Tensor
        Of one axis or more.
    axis : int or None
        None flattens `a` first.
    descending : bool
        Whether the largest element comes first. NaN comes last in either order.

    Returns
    -------
    Tensor
        As `a`. Equal elements keep their order, and with it their gradients.
    """
    a, axis = _along(a, axis, "sort")
    return Sort(axis, descending)(a)


class TopK(Sort):
    """The k largest elements along an axis, the largest first; each adjoint goes back to where the element stood.

    Of equal elements the first are taken; NaN only if there is nothing else.
    """

    def __init__(self, k: int, axis: int = -1) -> None:
        super().__init__(axis, descending=True)
        self.k = k

    def compute(self, a: Any) -> Any:
        """The first k elements in descending order."""
        return on_host(partial(_sorted, axis=self.axis, descending=True, k=self.k), a)

    def infer(self, a: Spec) -> Spec:
        """As the input, with extent k along the axis."""
        return a._replace(shape=_with_extent(a.shape, self.axis, self.k))

    def order(self, a: Tensor) -> Tensor:
        """Where the k largest stand in `a`."""
        from .indexing import getitem

        (axis,) = normalize_axes(self.axis, a.ndim, "topk")
        return getitem(super().order(a), (*[slice(None)] * axis, slice(0, self.k)))


def topk(a: Tensor, k: int, axis: int | None = -1) -> Tensor:
    """The `k` largest elements along an axis, in descending order.

    Parameters
    ----------
    a : Tensor
        Of one axis or more.
    k : int
        How many: from 0 to the extent of the axis.
    axis : int or None
        None flattens `a` first.

    Returns
    -------
    Tensor
        The values, of the shape of `a` with extent `k` along the axis. Of equal elements the first are taken. NaN
        counts as less than any number. ``argsort(a, axis, descending=True)`` tells where they stood.

    Raises
    ------
    ValueError
        If there are no `k` elements along the axis.
    """
    a, axis = _along(a, axis, "topk")
    k = operator.index(k)
    if not 0 <= k <= a.shape[axis]:
        raise ValueError(f"topk: k is {k}; along axis {axis} a tensor of shape {a.shape} has {a.shape[axis]} elements")
    return TopK(k, axis)(a)


def _along(a: Tensor, axis: int | None, name: str) -> tuple[Tensor, int]:
    """`a` and an axis of it, which counts from the front; flattened if the axis is None."""
    from .shape import reshape

    if axis is None:
        return (a if a.ndim == 1 else reshape(a, (a.size,))), 0
    return a, normalize_axes(operator.index(axis), a.ndim, name)[0]


def _order(a: np.ndarray, axis: int, descending: bool) -> np.ndarray:
    return np.argsort(_reversed(a) if descending else a, axis=axis, kind="stable")


def _sorted(a: np.ndarray, axis: int, descending: bool, k: int | None = None) -> np.ndarray:
    keys = np.sort(_reversed(a) if descending else a, axis=axis, kind="stable")
    keys = keys if k is None else keys.take(np.arange(k), axis)
    return _reversed(keys) if descending else keys


def _reversed(a: np.ndarray) -> np.ndarray:
    """What falls as `a` rises, and NaN where `a` is: the negative of floats, all bits changed of integers and bools."""
    reversed_: np.ndarray = -a if a.dtype.kind == "f" else ~a
    return reversed_


def _with_extent(shape: tuple[int, ...], axis: int, extent: int) -> tuple[int, ...]:
    axis %= len(shape)
    return (*shape[:axis], extent, *shape[axis + 1 :])


class _Places(TensorOp):
    """What reading and adding at places share: the places are an input, which does not move.

    The other axes of the values and of the indices have equal extents.
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor | None:
        """A linear map of the values; the indices are piecewise constant."""
        return None if tangents[0] is None else self(tangents[0], node.inputs[1])

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Tensor:
        """The same axis of values and indices, which is further back by one."""
        return changed(self, axis=behind(self.axis))(*all_batched(inputs, batched, size))

    def places(self, indices: Any, shape: tuple[int, ...]) -> np.ndarray:
        """Positions in a flattened array of `shape`, for indices along the axis."""
        chosen, extent = _whole(np.asarray(indices)), shape[self.axis]
        outside = (chosen < -extent) | (chosen >= extent)
        if outside.any():
            raise IndexError(
                f"take_along_axis: index {chosen[outside].flat[0]} is out of bounds for axis {self.axis} of extent "
                f"{extent}"
            )
        return np.take_along_axis(np.arange(prod(shape)).reshape(shape), chosen, self.axis).reshape(-1)


class TakeAlongAxis(_Places):
    """out[.., i, ..] = a[.., indices[.., i, ..], ..]; the adjoint is zeros with g added at the indices."""

    def compute(self, a: Any, indices: Any) -> Any:
        """The elements, gathered into a new array; the indices are read on the host."""
        flat = array_api.reshape(a, (prod(a.shape),))
        return array_api.reshape(array_api.take(flat, self.places(indices, a.shape), 0), indices.shape)

    def infer(self, a: Spec, indices: Spec) -> Spec:
        """The shape of the indices."""
        return a._replace(shape=indices.shape)

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, None]:
        """An element that was read several times gets the sum of those adjoints."""
        a, indices = node.inputs
        return PutAlongAxis(self.axis, a.shape[self.axis])(out_grad, indices), None


class PutAlongAxis(_Places):
    """Zeros with the values added at the indices along an axis of a given extent: transposes `TakeAlongAxis`."""

    def __init__(self, axis: int, extent: int) -> None:
        super().__init__(axis)
        self.extent = extent

    def compute(self, values: Any, indices: Any) -> Any:
        """Zeros, then ``out[.., indices[.., i, ..], ..] += values[.., i, ..]``, repeated places adding up."""
        shape = _with_extent(values.shape, self.axis, self.extent)
        out = array_api.zeros((prod(shape),), dtype=values.dtype, device=values.device)
        array_api.add.at(out, self.places(indices, shape), array_api.reshape(values, (prod(values.shape),)))
        return array_api.reshape(out, shape)

    def infer(self, values: Spec, indices: Spec) -> Spec:
        """The shape of the values, with the given extent along the axis."""
        return values._replace(shape=_with_extent(values.shape, self.axis, self.extent))

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, None]:
        """Reading at the places that were written."""
        return TakeAlongAxis(self.axis)(out_grad, node.inputs[1]), None


def take_along_axis(a: Tensor, indices: Tensor, axis: int | None = -1) -> Tensor:
    """Elements of `a` at indices along an axis, for every place of the other axes: ``numpy.take_along_axis``.

    Parameters
    ----------
    a : Tensor
        What to read.
    indices : Tensor or array
        Whole numbers of any dtype, with as many axes as `a`; negative ones count from the end. Along the other axes
        `a` and `indices` broadcast together. They have no gradient.
    axis : int or None
        None flattens `a` first; then the indices have one axis.

    Returns
    -------
    Tensor
        In the dtype of `a`, of the shape of the indices, broadcast.

    Raises
    ------
    ValueError
        If the numbers of axes differ, or the other axes do not broadcast.
    IndexError
        If an index is no whole number or outside the axis; in lazy mode when the values are computed.
    """
    from .shape import broadcast_to

    a = as_tensor(a, indices if isinstance(indices, Tensor) else None)
    if not isinstance(indices, Tensor):
        indices = Tensor(_whole(np.asarray(indices)), dtype="int64", device=a.device, requires_grad=False)
    if indices.dtype == "bool":
        raise IndexError("take_along_axis: the indices must be whole numbers, not bools; ndl.where takes conditions")
    if a.device != indices.device:
        raise ValueError(f"take_along_axis: the values are on {a.device}, the indices on {indices.device}")
    a, axis = _along(a, axis, "take_along_axis")
    if a.ndim != indices.ndim:
        raise ValueError(
            f"take_along_axis: values of shape {a.shape} and indices of shape {indices.shape} must have the same "
            "number of axes"
        )
    try:
        shape = np.broadcast_shapes(_with_extent(a.shape, axis, 1), _with_extent(indices.shape, axis, 1))
    except ValueError:
        raise ValueError(
            f"take_along_axis: values of shape {a.shape} and indices of shape {indices.shape} do not broadcast "
            f"together along the other axes than {axis}"
        ) from None
    a, indices = (
        x if x.shape == wanted else broadcast_to(x, wanted)
        for x, wanted in ((x, _with_extent(shape, axis, x.shape[axis])) for x in (a, indices))
    )
    return TakeAlongAxis(axis)(a, indices)


def _whole(values: np.ndarray) -> np.ndarray:
    """Indices as int64; IndexError if one is no whole number."""
    if values.dtype == bool:
        raise IndexError("take_along_axis: the indices must be whole numbers, not bools; ndl.where takes conditions")
    with np.errstate(invalid="ignore"):  # NaN becomes some integer, which differs from it
        whole = values.astype(np.int64)
    if not np.array_equal(whole, values):
        raise IndexError(f"take_along_axis: the indices must be whole numbers, got {values[whole != values].flat[0]}")
    return whole
