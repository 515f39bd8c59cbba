"""Reductions: sum, mean, variance, largest and smallest element, over any axes."""

from __future__ import annotations

from typing import Any, TypeVar

from ..autograd import TensorOp
from ..axes import Axes, normalize_axes, with_extent_1
from ..backend_selection import array_api
from ..tensor import Tensor
from .rules import AlongAxes, Linear, changed

__all__ = ["Max", "Mean", "Min", "Summation", "Var", "max", "mean", "min", "sum_to", "summation", "var"]


R = TypeVar("R", bound="Reduction")


class Reduction(AlongAxes, TensorOp):
    """What reductions share: the axes, and how an adjoint gets them back."""

    def __init__(self, axes: Axes = None, keepdims: bool = False) -> None:
        self.axes = axes
        self.keepdims = keepdims

    def behind_first_axis(self: R, ndim: int) -> R:
        """The same reduction with one axis more in front."""
        return changed(self, axes=tuple(axis + 1 for axis in normalize_axes(self.axes, ndim, type(self).__name__)))

    def spread(self, reduced: Tensor, shape: tuple[int, ...]) -> Tensor:
        """`reduced`, repeated along the axes that were reduced, in the `shape` of the input."""
        from .shape import broadcast_to, reshape

        axes = normalize_axes(self.axes, len(shape), type(self).__name__)
        kept = with_extent_1(shape, axes)
        return broadcast_to(reduced if reduced.shape == kept else reshape(reduced, kept), shape)

    def count(self, shape: tuple[int, ...]) -> int:
        """How many elements of the input go into one of the output."""
        number = 1
        for axis in normalize_axes(self.axes, len(shape), type(self).__name__):
            number *= shape[axis]
        return number


class Summation(Linear, Reduction):
    """The sum over some axes; the adjoint is repeated along them."""

    def compute(self, a: Any) -> Any:
        """The sum of `a` over the axes."""
        axes = normalize_axes(self.axes, a.ndim, "summation")
        return array_api.sum(a, axis=axes, keepdims=self.keepdims)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """Every element enters the sum with weight 1."""
        return self.spread(out_grad, node.inputs[0].shape)


def summation(a: Tensor, axes: Axes = None, keepdims: bool = False) -> Tensor:
    """Sum over `axes`: None for all, an int or a tuple."""
    return Summation(axes, keepdims)(a)


class Mean(Linear, Reduction):
    """The mean over some axes; the adjoint is repeated along them and divided by their number of elements."""

    def compute(self, a: Any) -> Any:
        """The sum, divided by the number of elements."""
        axes = normalize_axes(self.axes, a.ndim, "mean")
        return array_api.sum(a, axis=axes, keepdims=self.keepdims) / self.count(a.shape)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """Every element enters the mean with weight 1/n."""
        shape = node.inputs[0].shape
        return self.spread(out_grad / self.count(shape), shape)


def mean(a: Tensor, axes: Axes = None, keepdims: bool = False) -> Tensor:
    """Mean over `axes`: None for all, an int or a tuple."""
    return Mean(axes, keepdims)(a)


class Var(Reduction):
    """The variance over some axes, 1/n sum (a - mean)^2; adjoint 2/n (a - mean) g."""

    def compute(self, a: Any) -> Any:
        """The mean squared deviation from the mean, in two passes, which keeps its digits where the mean is large."""
        axes, n = normalize_axes(self.axes, a.ndim, "var"), self.count(a.shape)
        deviation = a - array_api.sum(a, axis=axes, keepdims=True) / n
        return array_api.sum(deviation * deviation, axis=axes, keepdims=self.keepdims) / n

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d var/da_i = 2/n (a_i - mean); the mean's own dependence on a_i cancels."""
        (a,) = node.inputs
        deviation = a - mean(a, self.axes, keepdims=True)
        return self.spread(out_grad * 2 / self.count(a.shape), a.shape) * deviation  # type: ignore[no-any-return]

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """2/n sum((a - mean) da)."""
        (a,), (da,) = node.inputs, tangents
        deviation = a - mean(a, self.axes, keepdims=True)
        return summation(deviation * da, self.axes, self.keepdims) * 2 / self.count(a.shape)


def var(a: Tensor, axes: Axes = None, keepdims: bool = False) -> Tensor:
    """Variance over `axes`: None for all, an int or a tuple. Divides by n, as NumPy does."""
    return Var(axes, keepdims)(a)


class _Extremum(Reduction):
    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """1 to the extreme element, in equal parts where several are equal."""
        shape = node.inputs[0].shape
        return self.spread(out_grad, shape) * self.weights(node)

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """The tangent of the extreme element, the mean of those of equal ones."""
        return summation(tangents[0] * self.weights(node), self.axes, self.keepdims)

    def weights(self, node: Tensor) -> Tensor:
        """The derivative of the output by each element: 1/n for the n extreme ones, 0 for the others."""
        from .compare import equal

        (a,) = node.inputs
        reached = equal(a, self.spread(node, a.shape))
        return reached / self.spread(summation(reached, self.axes, self.keepdims), a.shape)


class Max(_Extremum):
    """The largest element over some axes; the adjoint goes to it, in equal parts to equal ones."""

    def compute(self, a: Any) -> Any:
        """The largest element."""
        return array_api.max(a, axis=normalize_axes(self.axes, a.ndim, "max"), keepdims=self.keepdims)


def max(a: Tensor, axes: Axes = None, keepdims: bool = False) -> Tensor:
    """Largest element over `axes`: None for all, an int or a tuple."""
    return Max(axes, keepdims)(a)


class Min(_Extremum):
    """The smallest element over some axes; the adjoint goes to it, in equal parts to equal ones."""

    def compute(self, a: Any) -> Any:
        """The smallest element."""
        return array_api.min(a, axis=normalize_axes(self.axes, a.ndim, "min"), keepdims=self.keepdims)


def min(a: Tensor, axes: Axes = None, keepdims: bool = False) -> Tensor:
    """Smallest element over `axes`: None for all, an int or a tuple."""
    return Min(axes, keepdims)(a)


def sum_to(a: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Sum `a` over the axes along which a tensor of `shape` was broadcast to it: the transpose of `broadcast_to`."""
    if a.shape == shape:
        return a
    new = len(a.shape) - len(shape)
    axes = tuple(axis for axis, extent in enumerate(a.shape) if axis < new or (shape[axis - new] == 1 and extent != 1))
    total = summation(a, axes, keepdims=True)
    if new == 0:
        return total
    from .shape import reshape

    return reshape(total, shape)
