"""Running sums, products and norms."""

from __future__ import annotations

from math import prod as product
from typing import Any

import numpy as np

from ..autograd import TensorOp
from ..axes import Axes, normalize_axes, with_extent_1, without
from ..backend_selection import array_api
from ..tensor import Tensor
from .arrange import pad
from .compare import equal, not_equal
from .functions import abs, sign
from .indexing import getitem
from .reduce import Reduction, summation
from .rules import AlongAxes, Linear, behind
from .shape import broadcast_to, flip, ones_like, permute, reshape, section
from .special import in_floats, largest_number

__all__ = ["CumSum", "Direction", "Norm", "Prod", "cumsum", "norm", "prod"]


class CumSum(Linear, AlongAxes, TensorOp):
    """Element i is the sum of the elements 0 to i along an axis; the adjoint is summed from the other end."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def compute(self, a: Any) -> Any:
        """By doubling: after a pass with distance d, every element is the sum of the 2d up to it, as far as they exist.

        So log2(n) passes over the whole array do it, and an element is the sum of a balanced tree: its rounding error
        grows with log n, too.
        """
        (axis,) = normalize_axes(self.axis, a.ndim, "cumsum")
        total = _summable(a)
        extent, distance = a.shape[axis], 1
        while distance < extent:
            first, rest = total[section(axis, 0, distance)], total[section(axis, distance, extent)]
            shifted = total[section(axis, 0, extent - distance)]
            total = array_api.concatenate([first, rest + shifted], axis)
            distance *= 2
        return total

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """Element i takes part in the sums from i on."""
        return flip(cumsum(flip(out_grad, self.axis), self.axis), self.axis)

    def behind_first_axis(self, ndim: int) -> CumSum:
        """The same axis, with one axis more in front."""
        return CumSum(behind(self.axis))


def cumsum(a: Tensor, axis: int) -> Tensor:
    """Running sums along an axis: element i is the sum of the elements 0 to i of `a`.

    Parameters
    ----------
    a : Tensor
        Of one axis or more.
    axis : int
        The axis, also counted from the end.

    Returns
    -------
    Tensor
        Of the shape of `a`, and its dtype; integers are summed in int64.

    Raises
    ------
    ValueError
        If `a` has no such axis (NumPy's AxisError).
    TypeError
        If `axis` is no int.

    References
    ----------
    Hillis and Steele, "Data parallel algorithms", Communications of the ACM 29, 1986.
    """
    if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)):
        raise TypeError(
            f"cumsum: axis must be an int, got {axis!r}; reshape the tensor to (-1,) to sum through all axes"
        )
    normalize_axes(axis, a.ndim, "cumsum")
    return CumSum(int(axis))(a)


def _summable(a: Any) -> Any:
    """An array of floats as it is, any other in int64."""
    return a if str(a.dtype).startswith("float") else a.astype("int64")


class Prod(Reduction):
    """The product over some axes; the adjoint of an element is g times the product of all others.

    That product is made without division, and so it is right for any number of zeros; so are its own derivatives.
    """

    def compute(self, a: Any) -> Any:
        """The product of the pairs of an element and that half an axis further on, until one is left."""
        axes = normalize_axes(self.axes, a.ndim, "prod")
        kept, n = without(a.shape, axes), self.count(a.shape)
        rows = array_api.reshape(array_api.transpose(_summable(a), _last(axes, a.ndim)), (*kept, n))
        if n == 0:
            rows = array_api.ones((*kept, 1), dtype=rows.dtype, device=rows.device)
        axis = len(kept)
        while n > 1:
            half = n // 2
            rest = rows[section(axis, 2 * half, n)]
            rows = rows[section(axis, 0, half)] * rows[section(axis, half, 2 * half)]
            if n % 2:
                rows = array_api.concatenate([rows, rest], axis)
            n -= half
        return array_api.reshape(rows, with_extent_1(a.shape, axes) if self.keepdims else kept)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d prod/da_i = the product of all a_j with j != i."""
        (a,) = node.inputs
        return self.spread(out_grad, a.shape) * self.others(a)

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """The sum over i of da_i times the product of all others."""
        (a,), (da,) = node.inputs, tangents
        return summation(self.others(a) * da, self.axes, self.keepdims)

    def others(self, a: Tensor) -> Tensor:
        """For every element the product of all others with which it is multiplied.

        Neighbours are multiplied, then the products of neighbours, and so on: a tree. From its root back, the others
        of a node are its sibling and the others of its parent: no more than 3n multiplications in all, of Tensors, so
        that they can be differentiated as often as one likes.
        """
        axes = normalize_axes(self.axes, a.ndim, "prod")
        order = _last(axes, a.ndim)
        moved = permute(a, order)
        rows = reshape(moved, (product(without(a.shape, axes)), self.count(a.shape)))
        back = tuple(int(axis) for axis in np.argsort(order))
        return permute(reshape(_products_of_others(rows), moved.shape), back)


def _products_of_others(rows: Tensor) -> Tensor:
    """For every element of each row the product of all others of the row: 1 if there are none."""
    m, nodes, siblings = rows.shape[0], rows, []
    while (n := nodes.shape[1]) > 1:
        pairs = reshape(nodes if n % 2 == 0 else pad(nodes, ((0, 0), (0, 1)), 1), (m, (n + 1) // 2, 2))
        siblings.append(flip(pairs, 2))
        nodes = getitem(pairs, (slice(None), slice(None), 0)) * getitem(pairs, (slice(None), slice(None), 1))
    others = ones_like(nodes)
    for pairs in reversed(siblings):
        count = pairs.shape[1]
        parents = getitem(others, (slice(None), slice(0, count)))
        children = broadcast_to(reshape(parents, (m, count, 1)), (m, count, 2)) * pairs
        others = reshape(children, (m, 2 * count))
    return getitem(others, (slice(None), slice(0, rows.shape[1])))


def _last(axes: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """All axes in an order in which `axes` are the last."""
    return (*(axis for axis in range(ndim) if axis not in axes), *axes)


def prod(a: Tensor, axes: Axes = None, keepdims: bool = False) -> Tensor:
    """Product over `axes`: None for all, an int or a tuple.

    Parameters
    ----------
    a : Tensor
        Of any shape.
    axes : int, sequence of ints, or None
        Over which axes to multiply; an empty product is 1.
    keepdims : bool
        Whether they stay, with extent 1.

    Returns
    -------
    Tensor
        In the dtype of `a`; integers are multiplied in int64.

    Raises
    ------
    ValueError
        If an axis does not exist or is named twice.
    """
    return Prod(axes, keepdims)(a)


class Norm(Reduction):
    """The 1-, 2- or maximum norm over some axes; adjoint g sign a, g a / norm, or g sign a at the largest |a|.

    Several largest ones share it in equal parts. Where the norm is 0 all derivatives are 0.
    """

    def __init__(self, ord: float = 2, axes: Axes = None, keepdims: bool = False) -> None:
        super().__init__(axes, keepdims)
        self.ord = ord

    def compute(self, a: Any) -> Any:
        """The sum of all |a|; the root of the sum of squares of a divided by the largest |a|; the largest |a|."""
        axes = normalize_axes(self.axes, a.ndim, "norm")
        size = array_api.abs(in_floats(a))
        if self.ord == 1 or (self.ord == 2 and self.count(a.shape) == 0):
            return array_api.sum(size, axis=axes, keepdims=self.keepdims)
        if self.ord == 2:
            scale = _divisor(array_api.max(size, axis=axes, keepdims=True))
            relative = size / scale
            root = array_api.sqrt(array_api.sum(relative * relative, axis=axes, keepdims=True)) * scale
            return root if self.keepdims else array_api.reshape(root, without(a.shape, axes))
        return array_api.max(size, axis=axes, keepdims=self.keepdims)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """The slopes."""
        return self.spread(out_grad, node.inputs[0].shape) * self.slopes(node)

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """The sum of the slopes times da."""
        return summation(self.slopes(node) * tangents[0], self.axes, self.keepdims)

    def slopes(self, node: Tensor) -> Tensor:
        """The derivative of the norm by each element."""
        (a,) = node.inputs
        if self.ord == 2:
            return Direction(self.axes)(a)
        if self.ord == 1:
            return sign(a)
        reached = equal(abs(a), self.spread(node, a.shape))
        return sign(a) * reached / self.spread(summation(reached, self.axes, self.keepdims), a.shape)


class Direction(Reduction):
    """u = a / norm(a) with the 2-norm over some axes, 0 where that is 0; adjoint (g - u sum(g u)) / norm(a).

    Infinite elements count as the largest numbers, beside which finite ones vanish.
    """

    def __init__(self, axes: Axes = None) -> None:
        super().__init__(axes, keepdims=True)

    def compute(self, a: Any) -> Any:
        """a / norm(a), after both were divided by the largest |a|."""
        axes = normalize_axes(self.axes, a.ndim, "norm")
        a = in_floats(a)
        if a.size == 0:
            return a
        bound = largest_number(a.dtype)
        a = array_api.minimum(array_api.maximum(a, -bound), bound)
        relative = a / _divisor(array_api.max(array_api.abs(a), axis=axes, keepdims=True))
        return relative / _divisor(array_api.sqrt(array_api.sum(relative * relative, axis=axes, keepdims=True)))

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """The part of g across u: along u the direction does not change."""
        (a,) = node.inputs
        length = norm(a, 2, self.axes, keepdims=True)
        along = summation(out_grad * node, self.axes, keepdims=True)
        exists, scale = not_equal(length, 0), length + equal(length, 0)
        across = out_grad - node * self.spread(along, a.shape)
        return across * self.spread(exists, a.shape) / self.spread(scale, a.shape)

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """The same: the Jacobian, (1 - u u^T) / norm, is its own transpose."""
        return self.gradient(tangents[0], node)


def _divisor(size: Any) -> Any:
    """Numbers >= 0 as divisors that change nothing where they are 0 or infinite: 1 there."""
    return array_api.where((size > 0) * (size <= largest_number(size.dtype)), size, 1)


def norm(a: Tensor, ord: float = 2, axes: Axes = None, keepdims: bool = False) -> Tensor:
    """Length of the vectors along `axes`: of all elements as one vector by default.

    Parameters
    ----------
    a : Tensor
        Of any shape. Integers give float32.
    ord : {1, 2, inf}
        1: the sum of all |a|; 2: the root of the sum of all a^2, which overflows only if it is too large itself;
        ``float("inf")``: the largest |a|.
    axes : int, sequence of ints, or None
        The axes of one vector. (``numpy.linalg.norm`` gives matrix norms for two axes; these are vector norms always,
        as in ``numpy.linalg.vector_norm``.)
    keepdims : bool
        Whether they stay, with extent 1.

    Raises
    ------
    ValueError
        If `ord` is none of these, an axis does not exist or is named twice, or the maximum norm has no elements to
        choose from.
    """
    if ord not in (1, 2, float("inf")):
        raise ValueError(f'norm: ord is {ord!r}; it must be 1, 2 or float("inf")')
    return Norm(ord, axes, keepdims)(a)
