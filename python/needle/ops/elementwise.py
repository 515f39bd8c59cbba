"""Arithmetic on the elements of one tensor or of two of the same shape.

The functions (`add`, ...) take tensors of any shapes that broadcast together; they make the broadcasting visible, as
`BroadcastTo` nodes. The op objects (``EWiseAdd()``, ...) take equal shapes.
"""

from __future__ import annotations

from typing import Any

from ..autograd import TensorOp, sum_node_list
from ..backend_selection import array_api
from ..tensor import Tensor
from .compare import equal, greater, less
from .matching import ElementwiseOp, match, scalar_of
from .rules import Elementwise, Linear, Multilinear

__all__ = [
    "AddScalar",
    "Clip",
    "DivScalar",
    "Dropout",
    "EWiseAdd",
    "EWiseDiv",
    "EWiseMul",
    "EWisePow",
    "Maximum",
    "Minimum",
    "MulScalar",
    "Negate",
    "PowerScalar",
    "Where",
    "add",
    "add_scalar",
    "clip",
    "divide",
    "divide_scalar",
    "maximum",
    "minimum",
    "mul_scalar",
    "multiply",
    "negate",
    "power",
    "power_scalar",
    "where",
]


class EWiseAdd(Linear, ElementwiseOp):
    """a + b; adjoints (g, g)."""

    def compute(self, a: Any, b: Any) -> Any:
        """a + b."""
        return a + b

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, Tensor]:
        """d(a + b)/da = d(a + b)/db = 1."""
        return out_grad, out_grad

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """da + db."""
        return sum_node_list(list(tangents))  # type: ignore[no-any-return]


def add(a: Tensor, b: Tensor) -> Tensor:
    """a + b, elementwise."""
    return Tensor.make_from_op(EWiseAdd(), match(a, b, "add"))


class AddScalar(Elementwise, TensorOp):
    """a + c for a number c; adjoint g."""

    def __init__(self, scalar: float) -> None:
        self.scalar = scalar_of(scalar, "add_scalar")

    def compute(self, a: Any) -> Any:
        """a + c."""
        return a + self.scalar

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(a + c)/da = 1."""
        return out_grad


def add_scalar(a: Tensor, scalar: float) -> Tensor:
    """a + scalar, elementwise."""
    return Tensor.make_from_op(AddScalar(scalar), (a,))


class EWiseMul(Multilinear, ElementwiseOp):
    """a b, elementwise; adjoints (g b, g a)."""

    def compute(self, a: Any, b: Any) -> Any:
        """a * b."""
        return a * b

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, Tensor]:
        """d(ab)/da = b, d(ab)/db = a."""
        a, b = node.inputs
        return out_grad * b, out_grad * a


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """a * b, elementwise."""
    return Tensor.make_from_op(EWiseMul(), match(a, b, "multiply"))


class MulScalar(Linear, Elementwise, TensorOp):
    """c a for a number c; adjoint c g."""

    def __init__(self, scalar: float) -> None:
        self.scalar = scalar_of(scalar, "mul_scalar")

    def compute(self, a: Any) -> Any:
        """a * c."""
        return a * self.scalar

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(ca)/da = c."""
        return out_grad * self.scalar


def mul_scalar(a: Tensor, scalar: float) -> Tensor:
    """a * scalar, elementwise."""
    return Tensor.make_from_op(MulScalar(scalar), (a,))


class EWisePow(ElementwiseOp):
    """a to the power b, elementwise; adjoints (g b a^(b-1), g a^b log a)."""

    def compute(self, a: Any, b: Any) -> Any:
        """a ** b."""
        return a**b

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, Tensor | None]:
        """d(a^b)/da = b a^(b-1); d(a^b)/db = a^b log a, taken as 0 where a <= 0 and the logarithm does not exist."""
        a, b = node.inputs
        by_exponent = out_grad * self.by_exponent(a, b) if b.requires_grad else None
        return out_grad * self.by_base(a, b), by_exponent

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """da b a^(b-1) + db a^b log a."""
        rules = (self.by_base, self.by_exponent)
        shares = [t * rule(*node.inputs) for t, rule in zip(tangents, rules) if t is not None]
        return sum_node_list(shares)  # type: ignore[no-any-return]

    def by_base(self, a: Tensor, b: Tensor) -> Tensor:
        """b a^(b-1), which is 0 for a = b = 0."""
        from . import ones_like

        constant = equal(a, 0) * equal(b, 0)
        return b * where(constant, ones_like(a), a) ** (b - 1)

    def by_exponent(self, a: Tensor, b: Tensor) -> Tensor:
        """a^b log a; 0 where a <= 0."""
        from . import log, ones_like

        return a**b * log(where(greater(a, 0), a, ones_like(a)))


def power(a: Tensor, b: Tensor) -> Tensor:
    """a ** b, elementwise."""
    return Tensor.make_from_op(EWisePow(), match(a, b, "power"))


class PowerScalar(Elementwise, TensorOp):
    """a to the power of a number c; adjoint g c a^(c-1)."""

    def __init__(self, scalar: float) -> None:
        self.scalar = scalar_of(scalar, "power_scalar")

    def compute(self, a: Any) -> Any:
        """a ** c."""
        return a**self.scalar

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(a^c)/da = c a^(c-1), which is 0 for c = 0, at a = 0 too."""
        (a,) = node.inputs
        if self.scalar == 0:
            return out_grad * 0
        return out_grad * self.scalar * power_scalar(a, self.scalar - 1)


def power_scalar(a: Tensor, scalar: float) -> Tensor:
    """a ** scalar, elementwise."""
    return Tensor.make_from_op(PowerScalar(scalar), (a,))


class EWiseDiv(ElementwiseOp):
    """a / b, elementwise; adjoints (g / b, -g a / b^2)."""

    def compute(self, a: Any, b: Any) -> Any:
        """a / b."""
        return a / b

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, Tensor]:
        """d(a/b)/da = 1/b, d(a/b)/db = -a/b^2."""
        a, b = node.inputs
        return out_grad / b, -out_grad * a / (b * b)

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """(da - (a/b) db) / b."""
        b, (da, db) = node.inputs[1], tangents
        return sum_node_list([da, None if db is None else -node * db]) / b  # type: ignore[no-any-return]


def divide(a: Tensor, b: Tensor) -> Tensor:
    """a / b, elementwise."""
    return Tensor.make_from_op(EWiseDiv(), match(a, b, "divide"))


class DivScalar(Linear, Elementwise, TensorOp):
    """a / c for a number c; adjoint g / c."""

    def __init__(self, scalar: float) -> None:
        self.scalar = scalar_of(scalar, "divide_scalar")

    def compute(self, a: Any) -> Any:
        """a / c."""
        return a / self.scalar

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(a/c)/da = 1/c."""
        return out_grad / self.scalar


def divide_scalar(a: Tensor, scalar: float) -> Tensor:
    """a / scalar, elementwise."""
    return Tensor.make_from_op(DivScalar(scalar), (a,))


class Negate(Linear, Elementwise, TensorOp):
    """-a; adjoint -g."""

    def compute(self, a: Any) -> Any:
        """-a."""
        return -a

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """d(-a)/da = -1."""
        return -out_grad


def negate(a: Tensor) -> Tensor:
    """-a, elementwise."""
    return Tensor.make_from_op(Negate(), (a,))


class _Extreme(ElementwiseOp):
    """One of two operands, by a comparison: its derivative is 1, that of the other 0, and 1/2 each where a = b."""

    beats: Any  # the comparison that decides, of two tensors

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, Tensor]:
        """1 to the one that was taken, 1/2 each where a = b."""
        a, b = node.inputs
        return out_grad * self.weight(a, b), out_grad * self.weight(b, a)

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """The tangent of the one that was taken, the mean of both where a = b."""
        (a, b), (da, db) = node.inputs, tangents
        shares = [t * self.weight(x, y) for t, x, y in ((da, a, b), (db, b, a)) if t is not None]
        return sum_node_list(shares)  # type: ignore[no-any-return]

    def weight(self, a: Tensor, b: Tensor) -> Tensor:
        """The derivative by a."""
        return self.beats(a, b) + equal(a, b) / 2  # type: ignore[no-any-return]


class Maximum(_Extreme):
    """The larger of a and b, elementwise; the adjoint goes to the larger one, in halves to equal ones."""

    beats = staticmethod(greater)

    def compute(self, a: Any, b: Any) -> Any:
        """max(a, b); NaN if either is."""
        return array_api.maximum(a, b)


def maximum(a: Tensor, b: Tensor) -> Tensor:
    """The larger of a and b, elementwise."""
    return Tensor.make_from_op(Maximum(), match(a, b, "maximum"))


class Minimum(_Extreme):
    """The smaller of a and b, elementwise; the adjoint goes to the smaller one, in halves to equal ones."""

    beats = staticmethod(less)

    def compute(self, a: Any, b: Any) -> Any:
        """min(a, b); NaN if either is."""
        return array_api.minimum(a, b)


def minimum(a: Tensor, b: Tensor) -> Tensor:
    """The smaller of a and b, elementwise."""
    return Tensor.make_from_op(Minimum(), match(a, b, "minimum"))


class Where(Elementwise, TensorOp):
    """a where the condition holds, b elsewhere; an adjoint is g where its operand was taken, exactly 0 elsewhere."""

    def __call__(self, *args: Any) -> Tensor:
        """Make the node for ``Where()(condition, a, b)``: three tensors of one shape."""
        if len({x.shape for x in args}) > 1:
            raise ValueError(f"Where: shapes {', '.join(str(x.shape) for x in args)} differ; ndl.where broadcasts them")
        return super().__call__(*args)

    def compute(self, condition: Any, a: Any, b: Any) -> Any:
        """A selection: a NaN in the operand that is not taken does not spread."""
        return array_api.where(condition, a, b)

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[None, Tensor, Tensor]:
        """The condition is piecewise constant and has no gradient."""
        from . import zeros_like

        condition, zero = node.inputs[0], zeros_like(out_grad)
        return None, where(condition, out_grad, zero), where(condition, zero, out_grad)

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor | None:
        """The tangent of the operand that was taken."""
        from . import zeros_like

        condition, *operands = node.inputs
        if tangents[1] is tangents[2] is None:
            return None
        return where(condition, *[zeros_like(x) if t is None else t for x, t in zip(operands, tangents[1:])])


def where(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Elements of `a` where `condition` is not 0, of `b` elsewhere."""
    from .matching import as_tensor, broadcast_together

    like = next((x for x in (a, b, condition) if isinstance(x, Tensor)), None)
    a, b = match(as_tensor(a, like), as_tensor(b, like), "where")
    condition, a, b = broadcast_together("where", as_tensor(condition, like), a, b)
    return Where()(condition, a, b)


class Clip(Elementwise, TensorOp):
    """a limited to [low, high]; adjoint g inside the limits (and on them), 0 outside."""

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        self.low = low
        self.high = high

    def compute(self, a: Any) -> Any:
        """min(max(a, low), high)."""
        if self.low is not None:
            a = array_api.maximum(a, self.low)
        if self.high is not None:
            a = array_api.minimum(a, self.high)
        return a

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """1 where the element was kept."""
        return out_grad * equal(node, node.inputs[0])


def clip(a: Tensor, low: float | None = None, high: float | None = None) -> Tensor:
    """`a` limited to the interval [low, high]; None leaves a side open."""
    if low is not None and high is not None and low > high:
        raise ValueError(f"clip: low is {low} and high {high}; low must not be above high")
    if low is None and high is None:
        raise ValueError("clip: give low, high, or both")
    return Clip(low, high)(a)


class Dropout(Multilinear, ElementwiseOp):
    """a m / (1 - p) for a mask m, of the shape of a; adjoints g m / (1 - p) and g a / (1 - p)."""

    def __init__(self, p: float) -> None:
        self.p = p

    def compute(self, a: Any, mask: Any) -> Any:
        """a * mask / (1 - p)."""
        return a * mask / (1 - self.p)

    def gradient(self, out_grad: Tensor, node: Tensor) -> tuple[Tensor, Tensor | None]:
        """The op is linear in a and in the mask: with the other one, it does the same to the adjoint."""
        a, mask = node.inputs
        return self(out_grad, mask), self(out_grad, a) if mask.requires_grad else None
