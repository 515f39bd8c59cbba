"""Bad numbers: whether an array holds some, and how a NaN or an Inf arose in an operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..backend_selection import NDArray

Array = np.ndarray[Any, Any]

#: So many bytes a device sums up faster than NumPy can be asked.
SMALL = 1 << 14


def arrays_of(data: Any) -> list[Array]:
    """The data of a node (an array or a tuple of them; none if there is no data yet) as NumPy arrays, not copied."""
    if data is None:
        return []
    parts = data if isinstance(data, tuple) else (data,)
    return [part.peek() if hasattr(part, "peek") else np.asarray(part) for part in parts]


def fault(array: Array) -> str:
    """``"NaN"`` if an array holds one, else ``"Inf"`` if it holds one, else nothing.

    One pass tells, the sum of the squares: it is NaN if there is a NaN, and only then, and finite only without Inf.
    """
    if array.dtype.kind not in "fc":
        return ""
    flat = array.ravel("K")
    square = np.dot(flat, flat)
    if square != square:
        return "NaN"
    return "Inf" if square == np.inf and np.isinf(flat).any() else ""


def is_bad(array: Array, inf: bool = False) -> bool:
    """Whether an array holds a NaN or, asked for, an Inf."""
    kind = fault(array)
    return kind == "NaN" or (inf and kind == "Inf")


def fault_of(data: Any) -> str:
    """`fault` of the data of a node, of which nothing need be there; of a tuple, the worst of all arrays."""
    if type(data) is NDArray:
        if isinstance(data, np.ndarray):
            return fault(data)
        view = data._view
        return "" if view.nbytes <= SMALL and view.is_finite() else fault(data.peek())
    return max((fault(array) for array in arrays_of(data)), default="")


class Bad(NamedTuple):
    """The first bad element of the output of an operation, and what met there, if the op is elementwise."""

    op: Any
    inputs: Sequence[Array]
    output: Array
    place: tuple[int, ...]
    operands: tuple[float, ...]

    @property
    def value(self) -> float:
        """The bad element itself."""
        return float(self.output[self.place])

    @property
    def nan(self) -> bool:
        """Whether it is a NaN; else it is an Inf."""
        return self.value != self.value

    @property
    def at(self) -> str:
        """Where it is, in words."""
        return f"at index {self.place}" if self.place else "in its one element"

    @property
    def limit(self) -> float:
        """The largest number that the output can hold."""
        return float(np.finfo(self.output.dtype).max)


def first_bad(op: Any, inputs: Sequence[Array], output: Array) -> Bad:
    """Find the first NaN of the output of `op`, or the first Inf if it has no NaN."""
    bad = np.isnan(output)
    bad = bad if bad.any() else np.isinf(output)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), output.shape))
    together = all(array.shape == output.shape for array in inputs)
    return Bad(op, inputs, output, index, tuple(float(array[index]) for array in inputs) if together else ())


def cause(op: Any, inputs: Sequence[Array], output: Array) -> str:
    """Say how a NaN or an Inf of `output` arose when `op` computed it from `inputs`, none of which held its like."""
    bad = first_bad(op, inputs, output)
    known = _known_cause(bad)
    if known is not None:
        return known
    infinite = [position for position, array in enumerate(inputs) if np.isinf(array).any()]
    if infinite and bad.nan:
        return f"input {infinite[0]} holds Inf, which met another Inf or a 0 (inf - inf, 0 * inf, inf / inf) {bad.at}"
    kind = "NaN" if bad.nan else "Inf"
    return f"the inputs are finite and without NaN; {type(op).__name__} gave a {kind} {bad.at}"


def _known_cause(bad: Bad) -> str | None:
    """What the rule for ops of this name says; None if there is none or if a student's op only has the name."""
    rule = _RULES.get(type(bad.op).__name__)
    if rule is None or not (bad.operands or rule is _reduction):
        return None
    try:
        return rule(bad)
    except (AttributeError, TypeError, ValueError):
        return None


def _logarithm(bad: Bad) -> str | None:
    edge = -1.0 if type(bad.op).__name__ == "Log1p" else 0.0
    (a,) = bad.operands
    if a < edge:
        return f"logarithm of a negative number: log({a - edge:.6g}) {bad.at}"
    return f"logarithm of 0 {bad.at}, which is -inf" if a == edge else None


def _root(bad: Bad) -> str | None:
    (a,) = bad.operands
    return f"square root of a negative number: sqrt({a:.6g}) {bad.at}" if a < 0 else None


def _quotient(bad: Bad) -> str | None:
    a, b = bad.operands if len(bad.operands) == 2 else (bad.operands[0], float(bad.op.scalar))
    if b == 0:
        return f"division of 0 by 0 {bad.at}" if a == 0 else f"division of {a:.6g} by 0 {bad.at}"
    if np.isinf(a) and np.isinf(b):
        return f"division of inf by inf {bad.at}"
    return None if bad.nan else f"overflow: {a:.6g} / {b:.6g} {bad.at} is larger than {bad.output.dtype} can hold"


def _sum(bad: Bad) -> str | None:
    a, b = bad.operands if len(bad.operands) == 2 else (bad.operands[0], float(bad.op.scalar))
    if np.isinf(a) and np.isinf(b):
        return f"inf - inf: {a} + {b} {bad.at}"
    return f"overflow: {a:.6g} + {b:.6g} {bad.at} is larger than {bad.output.dtype} can hold"


def _product(bad: Bad) -> str | None:
    a, b = bad.operands if len(bad.operands) == 2 else (bad.operands[0], float(bad.op.scalar))
    if bad.nan:
        return f"0 * inf: {a:.6g} * {b:.6g} {bad.at}"
    return f"overflow: {a:.6g} * {b:.6g} {bad.at} is larger than {bad.output.dtype} can hold"


def _power(bad: Bad) -> str | None:
    a, b = bad.operands if len(bad.operands) == 2 else (bad.operands[0], float(bad.op.scalar))
    if bad.nan:
        return f"a negative number to a power that is no whole number: {a:.6g} ** {b:.6g} {bad.at}"
    if a == 0:
        return f"division by 0: 0 to the negative power {b:.6g} {bad.at}"
    return f"overflow: {a:.6g} ** {b:.6g} {bad.at} is larger than {bad.output.dtype} can hold"


def _exponential(bad: Bad) -> str | None:
    (a,), name = bad.operands, type(bad.op).__name__.lower()
    if bad.nan:
        return None
    return (
        f"overflow of {name}: {name}({a:.6g}) {bad.at} is larger than {bad.limit:.3g}, the largest {bad.output.dtype}"
    )


def _periodic(bad: Bad) -> str | None:
    return f"{type(bad.op).__name__.lower()} of inf {bad.at}, which has no value"


def _reduction(bad: Bad) -> str | None:
    infinite = [position for position, array in enumerate(bad.inputs) if np.isinf(array).any()]
    if not infinite:
        return f"overflow: a sum {bad.at} is larger than {bad.output.dtype} can hold"
    if not bad.nan:
        return None
    return f"inf - inf or 0 * inf within the sum {bad.at}: input {infinite[0]} holds Inf"


def _cast(bad: Bad) -> str | None:
    (a,) = bad.operands
    return f"overflow: {a:.6g} {bad.at} is larger than {bad.output.dtype} can hold"


_RULES: dict[str, Callable[[Bad], str | None]] = {
    **dict.fromkeys(("Log", "Log1p"), _logarithm),
    **dict.fromkeys(("EWiseDiv", "DivScalar"), _quotient),
    **dict.fromkeys(("EWiseAdd", "AddScalar"), _sum),
    **dict.fromkeys(("EWiseMul", "MulScalar"), _product),
    **dict.fromkeys(("EWisePow", "PowerScalar"), _power),
    **dict.fromkeys(("Exp", "Expm1", "Sinh", "Cosh"), _exponential),
    **dict.fromkeys(("Sin", "Cos"), _periodic),
    **dict.fromkeys(("Summation", "Mean", "CumSum", "MatMul", "Einsum", "Dot", "Outer"), _reduction),
    "Sqrt": _root,
    "Cast": _cast,
}
