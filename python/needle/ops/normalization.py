"""Layer and batch normalisation, and the mean and variance of a batch: each one operator, with a derivative of its own.

Written with operators on Tensors they stand in `needle.nn.normalization`; here each is one node and one kernel.
"""

from __future__ import annotations

from typing import Any

from ..autograd import TensorOp, TensorTuple, TensorTupleOp
from ..backend_selection import array_api
from ..fused import fused
from ..tensor import Tensor
from .functions import sqrt
from .reduce import mean, summation, var
from .rules import Composite
from .shape import broadcast_to
from .tuples import make_tuple

__all__ = ["Moments", "MovingMoments", "Normalize", "NormalizeGradient", "batch_norm", "layer_norm", "moments"]


def _mean(a: Any, axis: int) -> Any:
    return array_api.sum(a, axis=axis, keepdims=True) / a.shape[axis]


def _normal(x: Any, axis: int, eps: float) -> tuple[Any, Any]:
    """(x - mean) / sqrt(var + eps) along an axis, and 1 / sqrt(var + eps)."""
    centered = x - _mean(x, axis)
    scale = 1 / array_api.sqrt(_mean(centered * centered, axis) + eps)
    return centered * scale, scale


def normalized(x: Tensor, axis: int, eps: float) -> tuple[Tensor, Tensor]:
    """The same, on Tensors."""
    centered = x - mean(x, axis, keepdims=True)
    scale = 1 / sqrt(mean(centered * centered, axis, keepdims=True) + eps)
    return centered * scale, scale


class Normalize(Composite, TensorOp):
    """weight n + bias with n = (x - mean) / sqrt(var + eps); weight and bias belong to the last axis of x.

    Mean and (biased) variance are taken along `axis`: -1 for layer normalisation, 0 for batch normalisation.
    """

    def __init__(self, axis: int, eps: float) -> None:
        self.axis = axis
        self.eps = eps

    @fused("normalize")
    def compute(self, x: Any, weight: Any, bias: Any) -> Any:
        """weight (x - mean) / sqrt(var + eps) + bias."""
        normal, _ = _normal(x, self.axis, self.eps)
        return weight * normal + bias

    def definition(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """weight (x - mean) / sqrt(var + eps) + bias."""
        normal, _ = normalized(x, self.axis, self.eps)
        return weight * normal + bias

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, ...]:
        """All three by one op: see `NormalizeGradient`."""
        x, weight, _ = node.inputs
        dx, dweight, dbias = NormalizeGradient(self.axis, self.eps)(x, weight, out_grad)
        return dx, dweight, dbias


class NormalizeGradient(Composite, TensorTupleOp):
    """The adjoints of x, weight and bias in `Normalize`, from x, weight and the adjoint g of its output.

    With u = g weight, n the normalised x, s = 1 / sqrt(var + eps), and means along the axis,
    (s (u - mean(u) - n mean(u n)),  sum(g n),  sum(g)); the sums run over all axes but the last.
    """

    def __init__(self, axis: int, eps: float) -> None:
        self.axis = axis
        self.eps = eps

    @fused("normalize_gradient")
    def compute(self, x: Any, weight: Any, g: Any) -> tuple[Any, Any, Any]:
        """The three formulas above."""
        normal, scale = _normal(x, self.axis, self.eps)
        u, rows = g * weight, tuple(range(x.ndim - 1))
        dx = scale * (u - _mean(u, self.axis) - normal * _mean(u * normal, self.axis))
        return dx, array_api.sum(g * normal, axis=rows), array_api.sum(g, axis=rows)

    def definition(self, x: Tensor, weight: Tensor, g: Tensor) -> TensorTuple:
        """The three formulas above."""
        normal, scale = normalized(x, self.axis, self.eps)
        u, rows = g * weight, tuple(range(len(x.shape) - 1))
        bend = mean(u, self.axis, keepdims=True) + normal * mean(u * normal, self.axis, keepdims=True)
        return make_tuple(scale * (u - bend), summation(g * normal, rows), summation(g, rows))

    def gradient(self, out_grad: TensorTuple, node: TensorTuple) -> tuple[Tensor, Tensor, Tensor]:
        """With J v = s (v - mean(v) - n mean(v n)), the (symmetric) derivative of n by x, applied to v.

        The outputs are J u, sum(g n) and sum(g). For their adjoints h, p and q the product rule gives
        g: weight J h + p n + q;  weight: sum(g J h);  x: J (p g) - s (n mean(h J u) + mean(u n) J h + mean(h n) J u).
        """
        x, weight, g = node.inputs
        h, p, q = out_grad

        def along(a: Tensor) -> Tensor:
            return mean(a, self.axis, keepdims=True)

        normal, scale = normalized(x, self.axis, self.eps)

        def jacobian(v: Tensor) -> Tensor:
            return scale * (v - along(v) - normal * along(v * normal))

        u = g * weight
        of_u, of_h = jacobian(u), jacobian(h)
        bend = normal * along(h * of_u) + along(u * normal) * of_h + along(h * normal) * of_u
        rows = tuple(range(len(x.shape) - 1))
        return jacobian(p * g) - scale * bend, summation(g * of_h, rows), weight * of_h + p * normal + q


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """weight (x - mean) / sqrt(var + eps) + bias with mean and (biased) variance along the last axis of x (..., n)."""
    if len(x.shape) < 2 or weight.shape != x.shape[-1:] or bias.shape != x.shape[-1:]:
        raise ValueError(_misfit("layer_norm", "(..., n)", x, weight, bias))
    return Normalize(-1, eps)(x, weight, bias)


def batch_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """weight (x - mean) / sqrt(var + eps) + bias with mean and (biased) variance along the first axis of x (m, n)."""
    if len(x.shape) != 2 or weight.shape != x.shape[-1:] or bias.shape != x.shape[-1:]:
        raise ValueError(_misfit("batch_norm", "(m, n)", x, weight, bias))
    return Normalize(0, eps)(x, weight, bias)


def _misfit(name: str, wanted: str, x: Tensor, weight: Tensor, bias: Tensor) -> str:
    return (
        f"{name}: x must have shape {wanted}, weight and bias (n,); "
        f"got x of shape {x.shape}, weight {weight.shape} and bias {bias.shape}"
    )


class Moments(Composite, TensorTupleOp):
    """Mean and (biased) variance of every column of a matrix; adjoint of x: (p + 2 (x - mean) q) / m."""

    @fused("moments")
    def compute(self, x: Any) -> tuple[Any, Any]:
        """1/m sum x and 1/m sum (x - mean)^2 over the m rows."""
        m = x.shape[0]
        average = array_api.sum(x, axis=0) / m
        deviation = x - average
        return average, array_api.sum(deviation * deviation, axis=0) / m

    def definition(self, x: Tensor) -> TensorTuple:
        """1/m sum x and 1/m sum (x - mean)^2 over the m rows."""
        return make_tuple(mean(x, 0), var(x, 0))

    def gradient(self, out_grad: TensorTuple, node: TensorTuple) -> Tensor:
        """The mean's part in the variance cancels, as deviations add up to 0."""
        (x,) = node.inputs
        return self.adjoint(x, node[0], *out_grad)

    @staticmethod
    def adjoint(x: Tensor, mean: Tensor, p: Tensor, q: Tensor) -> Tensor:
        """(p + 2 (x - mean) q) / m, from the adjoints p and q of mean and variance."""
        return broadcast_to(p / x.shape[0], x.shape) + (x - mean) * (q * 2 / x.shape[0])


class MovingMoments(Composite, TensorTupleOp):
    """Moving averages of mean and variance, (1 - c) old + c new, where the new ones are the `Moments` of x.

    Its inputs are the old averages, of shape (n,), and x (m, n); c is the `momentum`.
    """

    def __init__(self, momentum: float) -> None:
        self.momentum = momentum

    def compute(self, mean: Any, var: Any, x: Any) -> tuple[Any, Any]:
        """(1 - c) mean + c mean of x, (1 - c) var + c var of x."""
        old, new = (mean, var), Moments().compute(x)
        first, second = [(1 - self.momentum) * a + self.momentum * b for a, b in zip(old, new)]
        return first, second

    def definition(self, mean: Tensor, var: Tensor, x: Tensor) -> TensorTuple:
        """(1 - c) mean + c mean of x, (1 - c) var + c var of x."""
        old, new = (mean, var), moments(x)
        return make_tuple(*[(1 - self.momentum) * a + self.momentum * b for a, b in zip(old, new)])

    def gradient(self, out_grad: TensorTuple, node: TensorTuple) -> tuple[Tensor, Tensor, Tensor]:
        """For adjoints p and q: (1 - c) p, (1 - c) q, and c times the adjoint of x in `Moments`."""
        x = node.inputs[2]
        p, q = out_grad
        dx = Moments.adjoint(x, mean(x, 0), p, q)
        return (1 - self.momentum) * p, (1 - self.momentum) * q, self.momentum * dx


def moments(x: Tensor) -> TensorTuple:
    """Mean and (biased) variance of each column of a matrix x (m, n): two tensors of shape (n,)."""
    if len(x.shape) != 2:
        raise ValueError(f"moments: x must have shape (m, n); got {x.shape}")
    return Moments()(x)
