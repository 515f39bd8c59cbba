"""Functions of one variable, applied to every element: log, exp, tanh, relu and their kin."""

from __future__ import annotations

from typing import Any

from ..autograd import TensorOp
from ..backend_selection import array_api
from ..fused import fused
from ..tensor import Tensor
from .compare import greater
from .matching import ElementwiseOp
from .rules import Constant, Elementwise

__all__ = [
    "Abs",
    "Cos",
    "Exp",
    "Log",
    "ReLU",
    "ReLUGradient",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sqrt",
    "Tanh",
    "abs",
    "cos",
    "exp",
    "log",
    "relu",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "tanh",
]


class Log(Elementwise, TensorOp):
    """log a, the natural logarithm; adjoint g / a."""

    def compute(self, a: Any) -> Any:
        """log(a)."""
        return array_api.log(a)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(log a)/da = 1/a."""
        return out_grad / node.inputs[0]  # type: ignore[no-any-return]


def log(a: Tensor) -> Tensor:
    """Natural logarithm of every element."""
    return Log()(a)


class Exp(Elementwise, TensorOp):
    """exp a; adjoint g exp a."""

    def compute(self, a: Any) -> Any:
        """exp(a)."""
        return array_api.exp(a)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(exp a)/da = exp a, which is this node."""
        return out_grad * node


def exp(a: Tensor) -> Tensor:
    """Exponential of every element."""
    return Exp()(a)


class Tanh(Elementwise, TensorOp):
    """tanh a; adjoint g (1 - tanh^2 a)."""

    def compute(self, a: Any) -> Any:
        """tanh(a)."""
        return array_api.tanh(a)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(tanh a)/da = 1 - tanh^2 a, where tanh a is this node."""
        return out_grad * (1 - node * node)


def tanh(a: Tensor) -> Tensor:
    """Hyperbolic tangent of every element."""
    return Tanh()(a)


class ReLU(Elementwise, TensorOp):
    """max(a, 0); adjoint g where a > 0, else 0 (at a = 0 too)."""

    def compute(self, a: Any) -> Any:
        """max(a, 0)."""
        return array_api.maximum(a, 0)

    @fused(lambda op, out_grad, node: ReLUGradient()(node, out_grad))
    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """1 where the output is positive."""
        return out_grad * greater(node, 0)


class ReLUGradient(ElementwiseOp):
    """The adjoint of a in y = `ReLU` (a), from y and the adjoint g of y: g where y > 0, else 0."""

    def compute(self, y: Any, g: Any) -> Any:
        """g times 1 where y is positive, times 0 elsewhere."""
        return g * (y > 0)

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[None, Tensor]:
        """It is linear in g, and piecewise constant in y."""
        return None, ReLUGradient()(node.inputs[0], out_grad)


def relu(a: Tensor) -> Tensor:
    """max(a, 0) of every element."""
    return ReLU()(a)


class Sigmoid(Elementwise, TensorOp):
    """1 / (1 + exp(-a)); adjoint g s (1 - s) with s the output."""

    def compute(self, a: Any) -> Any:
        """The logistic function, from exp(-|a|), so that nothing overflows and no digit cancels."""
        e = array_api.exp(-array_api.abs(a))
        return array_api.where(a >= 0, 1, e) / (e + 1)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """ds/da = s (1 - s), where s is this node."""
        return out_grad * node * (1 - node)


def sigmoid(a: Tensor) -> Tensor:
    """The logistic function 1 / (1 + exp(-a)) of every element."""
    return Sigmoid()(a)


class Sqrt(Elementwise, TensorOp):
    """The square root of a; adjoint g / (2 sqrt a)."""

    def compute(self, a: Any) -> Any:
        """sqrt(a)."""
        return array_api.sqrt(a)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(sqrt a)/da = 1 / (2 sqrt a), where sqrt a is this node."""
        return out_grad / (node * 2)


def sqrt(a: Tensor) -> Tensor:
    """Square root of every element."""
    return Sqrt()(a)


class Sin(Elementwise, TensorOp):
    """sin a; adjoint g cos a."""

    def compute(self, a: Any) -> Any:
        """sin(a)."""
        return array_api.sin(a)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(sin a)/da = cos a."""
        return out_grad * cos(node.inputs[0])


def sin(a: Tensor) -> Tensor:
    """Sine of every element (radians)."""
    return Sin()(a)


class Cos(Elementwise, TensorOp):
    """cos a; adjoint -g sin a."""

    def compute(self, a: Any) -> Any:
        """cos(a)."""
        return array_api.cos(a)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(cos a)/da = -sin a."""
        return -out_grad * sin(node.inputs[0])


def cos(a: Tensor) -> Tensor:
    """Cosine of every element (radians)."""
    return Cos()(a)


class Abs(Elementwise, TensorOp):
    """|a|; adjoint g sign a, which is 0 at a = 0."""

    def compute(self, a: Any) -> Any:
        """abs(a)."""
        return array_api.abs(a)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d|a|/da = sign a."""
        return out_grad * sign(node.inputs[0])


def abs(a: Tensor) -> Tensor:
    """Absolute value of every element."""
    return Abs()(a)


class Sign(Constant, TensorOp):
    """-1, 0 or 1; piecewise constant, so it has no gradient."""

    def compute(self, a: Any) -> Any:
        """sign(a)."""
        return array_api.sign(a)


def sign(a: Tensor) -> Tensor:
    """Sign of every element: -1, 0 or 1."""
    return Sign()(a)
