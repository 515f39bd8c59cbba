"""logsumexp, log-softmax and softmax: sums of exponentials that neither overflow nor lose what matters."""

from __future__ import annotations

from typing import Any

from ..backend_selection import array_api
from ..tensor import Tensor
from .matching import axes_tuple
from .reduce import Axes, Reduction, summation

__all__ = ["LogSoftmax", "LogSumExp", "Softmax", "logsoftmax", "logsumexp", "softmax"]


class LogSumExp(Reduction):
    """log(sum exp a) over some axes; adjoint g softmax(a)."""

    def compute(self, a: Any) -> Any:
        """m + log(sum exp(a - m)) with m the largest element, so that the largest exponential is 1."""
        axes = axes_tuple(self.axes, a.ndim, "logsumexp")
        largest = array_api.max(a, axis=axes, keepdims=True)
        finite = array_api.where(array_api.abs(largest) < float("inf"), largest, 0)
        total = array_api.sum(array_api.exp(a - finite), axis=axes, keepdims=True)
        result = array_api.log(total) + finite
        return result if self.keepdims else array_api.reshape(result, _without(a.shape, axes))

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d logsumexp/da = exp(a - logsumexp(a)), the softmax."""
        from .functions import exp

        (a,) = node.inputs
        return self.spread(out_grad, a.shape) * exp(a - self.spread(node, a.shape))


def logsumexp(a: Tensor, axes: Axes = None, keepdims: bool = False) -> Tensor:
    """log(sum(exp(a))) over `axes`, stable for elements of any size."""
    return LogSumExp(axes, keepdims)(a)


class _AlongLastAxis(Reduction):
    def __init__(self, axis: int = -1) -> None:
        super().__init__(axis, keepdims=True)


class LogSoftmax(_AlongLastAxis):
    """a - logsumexp(a) along one axis (the last by default); adjoint g - softmax(a) sum g."""

    def compute(self, a: Any) -> Any:
        """a - logsumexp(a)."""
        return a - LogSumExp(self.axes, keepdims=True).compute(a)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """g - exp(logsoftmax) sum(g), where logsoftmax is this node."""
        from .functions import exp

        return out_grad - exp(node) * self.spread(summation(out_grad, self.axes), node.shape)


def logsoftmax(a: Tensor, axis: int = -1) -> Tensor:
    """log(softmax(a)) along `axis`, the last by default, stable for elements of any size."""
    return LogSoftmax(axis)(a)


class Softmax(_AlongLastAxis):
    """exp(a) / sum exp(a) along one axis (the last by default); adjoint s (g - sum(g s)) with s the output."""

    def compute(self, a: Any) -> Any:
        """exp(a - logsumexp(a))."""
        return array_api.exp(a - LogSumExp(self.axes, keepdims=True).compute(a))

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """s (g - sum(g s)), where s is this node."""
        return node * (out_grad - self.spread(summation(out_grad * node, self.axes), node.shape))


def softmax(a: Tensor, axis: int = -1) -> Tensor:
    """exp(a) / sum(exp(a)) along `axis`, the last by default, stable for elements of any size."""
    return Softmax(axis)(a)


def _without(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(extent for axis, extent in enumerate(shape) if axis not in axes)
