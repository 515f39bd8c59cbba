"""logsumexp, log-softmax and softmax: sums of exponentials that neither overflow nor lose what matters."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import TensorOp
from ..axes import Axes, normalize_axes, without
from ..backend_selection import array_api
from ..fused import fused
from ..tensor import Tensor
from .reduce import Reduction, summation
from .rules import Composite, behind, changed

__all__ = [
    "LogSoftmax",
    "LogSoftmaxGradient",
    "LogSumExp",
    "Softmax",
    "SoftmaxGradient",
    "SoftmaxLoss",
    "SoftmaxLossGradient",
    "logsoftmax",
    "logsumexp",
    "softmax",
    "softmax_loss",
]


class LogSumExp(Reduction):
    """log(sum exp a) over some axes; adjoint g softmax(a)."""

    @fused("logsumexp")
    def compute(self, a: Any) -> Any:
        """m + log(sum exp(a - m)) with m the largest element, so that the largest exponential is 1."""
        axes = normalize_axes(self.axes, a.ndim, "logsumexp")
        bound = float(np.finfo(np.result_type(a.dtype, np.float32)).max)  # infinite ones would give inf - inf
        largest = array_api.max(a, axis=axes, keepdims=True)
        largest = array_api.maximum(array_api.minimum(largest, bound), -bound)
        total = array_api.sum(array_api.exp(a - largest), axis=axes, keepdims=True)
        result = array_api.log(total) + largest
        return result if self.keepdims else array_api.reshape(result, without(a.shape, axes))

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d logsumexp/da = exp(a - logsumexp(a)), the softmax."""
        from .functions import exp

        (a,) = node.inputs
        return self.spread(out_grad, a.shape) * exp(a - self.spread(node, a.shape))

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """sum(softmax(a) da)."""
        from .functions import exp

        (a,), (da,) = node.inputs, tangents
        return summation(exp(a - self.spread(node, a.shape)) * da, self.axes, self.keepdims)


def logsumexp(a: Tensor, axes: Axes = None, keepdims: bool = False) -> Tensor:
    """log(sum(exp(a))) over `axes`, stable for elements of any size."""
    return LogSumExp(axes, keepdims)(a)


class _AlongLastAxis(Reduction):
    axes: int

    def __init__(self, axis: int = -1) -> None:
        super().__init__(axis, keepdims=True)

    def behind_first_axis(self, ndim: int) -> _AlongLastAxis:
        """The same axis, with one axis more in front."""
        return changed(self, axes=behind(self.axes))

    def total(self, a: Tensor) -> Tensor:
        """The sum of `a` along the axis, at each of its elements."""
        return self.spread(summation(a, self.axes), a.shape)


class LogSoftmax(_AlongLastAxis):
    """a - logsumexp(a) along one axis (the last by default); adjoint g - softmax(a) sum g."""

    @fused("logsoftmax")
    def compute(self, a: Any) -> Any:
        """a - logsumexp(a)."""
        return a - LogSumExp(self.axes, keepdims=True).compute(a)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """g - exp(logsoftmax) sum(g), where logsoftmax is this node."""
        return LogSoftmaxGradient(self.axes)(node, out_grad)

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """da - sum(softmax(a) da)."""
        from .functions import exp

        (da,) = tangents
        return da - self.total(exp(node) * da)  # type: ignore[no-any-return]


class LogSoftmaxGradient(Composite, _AlongLastAxis):
    """g - exp(y) sum(g): the adjoint of the input of `LogSoftmax`, from its output y and the adjoint g of that."""

    @fused("logsoftmax_gradient")
    def compute(self, y: Any, g: Any) -> Any:
        """g - exp(y) sum(g)."""
        return g - array_api.exp(y) * array_api.sum(g, axis=self.axes, keepdims=True)

    def definition(self, y: Tensor, g: Tensor) -> Tensor:
        """g - exp(y) sum(g)."""
        from .functions import exp

        return g - exp(y) * self.total(g)

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, Tensor]:
        """For the adjoint h, y: -h exp(y) sum(g); g: h - sum(h exp(y))."""
        from .functions import exp

        y, g = node.inputs
        weighted = out_grad * exp(y)
        return -weighted * self.total(g), out_grad - self.total(weighted)


def logsoftmax(a: Tensor, axis: int = -1) -> Tensor:
    """log(softmax(a)) along `axis`, the last by default, stable for elements of any size."""
    return LogSoftmax(axis)(a)


class Softmax(_AlongLastAxis):
    """exp(a) / sum exp(a) along one axis (the last by default); adjoint s (g - sum(g s)) with s the output."""

    @fused("softmax")
    def compute(self, a: Any) -> Any:
        """exp(a - logsumexp(a))."""
        return array_api.exp(a - LogSumExp(self.axes, keepdims=True).compute(a))

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """s (g - sum(g s)), where s is this node."""
        return SoftmaxGradient(self.axes)(node, out_grad)

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """The same: the Jacobian, diag(s) - s s^T, is its own transpose."""
        return self.gradient(tangents[0], node)


class SoftmaxGradient(Composite, _AlongLastAxis):
    """s (g - sum(g s)): the adjoint of the input of `Softmax`, from its output s and the adjoint g of that."""

    @fused("softmax_gradient")
    def compute(self, s: Any, g: Any) -> Any:
        """s (g - sum(g s))."""
        return s * (g - array_api.sum(g * s, axis=self.axes, keepdims=True))

    def definition(self, s: Tensor, g: Tensor) -> Tensor:
        """s (g - sum(g s))."""
        return s * (g - self.total(g * s))

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, Tensor]:
        """For the adjoint h, s: h (g - sum(g s)) - g sum(h s); g: s (h - sum(h s))."""
        s, g = node.inputs
        of_g, of_h = self.total(g * s), self.total(out_grad * s)
        return out_grad * (g - of_g) - g * of_h, s * (out_grad - of_h)


def softmax(a: Tensor, axis: int = -1) -> Tensor:
    """exp(a) / sum(exp(a)) along `axis`, the last by default, stable for elements of any size."""
    return Softmax(axis)(a)


class SoftmaxLoss(Composite, TensorOp):
    """The mean over rows of logsumexp(z) - z_y, where row i of the second input is one-hot at the class y of row i.

    Adjoint of z: (softmax(z) - one_hot(y)) g / n.
    """

    @fused("softmax_loss")
    def compute(self, z: Any, one_hot: Any) -> Any:
        """The difference of both terms, summed over the rows and divided by their number."""
        return array_api.sum(LogSumExp(1).compute(z) - array_api.sum(z * one_hot, axis=1)) / z.shape[0]

    def definition(self, z: Tensor, one_hot: Tensor) -> Tensor:
        """The difference of both terms, summed over the rows and divided by their number."""
        return summation(logsumexp(z, 1) - summation(z * one_hot, 1)) / z.shape[0]

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, Tensor | None]:
        """What softmax gives to each class, minus 1 for the true one; z itself takes the part of a derivative in y."""
        from .shape import broadcast_to

        z, one_hot = node.inputs
        dz = SoftmaxLossGradient()(z, one_hot, out_grad)
        return dz, -z * broadcast_to(out_grad / z.shape[0], z.shape) if one_hot.requires_grad else None


class SoftmaxLossGradient(Composite, TensorOp):
    """(softmax(z) - one_hot(y)) g / n: the adjoint of z in `SoftmaxLoss`, from its inputs and its scalar adjoint g."""

    @fused("softmax_loss_gradient")
    def compute(self, z: Any, one_hot: Any, g: Any) -> Any:
        """(softmax(z) - one_hot) g / n."""
        return (Softmax(1).compute(z) - one_hot) * (g / z.shape[0])

    def definition(self, z: Tensor, one_hot: Tensor, g: Tensor) -> Tensor:
        """(softmax(z) - one_hot) g / n."""
        return (softmax(z) - one_hot) * (g / z.shape[0])

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """For the adjoint h: softmax's for h g / n to z; -h g/n to one_hot; sum(h (softmax(z) - one_hot)) / n to g."""
        from .shape import broadcast_to

        z, one_hot, g = node.inputs
        s = softmax(z)
        weighted = out_grad * broadcast_to(g / z.shape[0], z.shape)
        return SoftmaxGradient()(s, weighted), -weighted, summation(out_grad * (s - one_hot)) / z.shape[0]


def softmax_loss(z: Tensor, one_hot: Tensor) -> Tensor:
    """The softmax (cross-entropy) loss of logits z (n, classes) and one-hot rows of the same shape: a scalar."""
    if z.ndim != 2 or z.shape != one_hot.shape:
        raise ValueError(f"softmax_loss: logits {z.shape} and one-hot rows {one_hot.shape} must have one shape (n, k)")
    return SoftmaxLoss()(z, one_hot)
