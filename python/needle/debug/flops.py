"""How many floating-point operations an operator takes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ..autograd import TensorTuple
from ..ops import Einsum

#: The operators of these files put elements elsewhere and compute nothing.
MOVING = frozenset(f"needle.{name}" for name in ("ops.shape", "ops.indexing", "ops.arrange", "ops.tuples", "tensor"))


def flops_of(op: Any, inputs: Sequence[Any], output: Any) -> int:
    """Count floating point operations of `op`.

    A matrix product of (m, k) and (k, n) has 2 m k n: a multiplication and an addition each; sums of products over
    named axes likewise. What only moves elements has none. All else counts one for each element of its output or of
    its largest input, whichever is more: what an exponential costs is not told from what a sum costs.
    """
    size = max([0, *map(_size, (*inputs, output))])
    if type(op).__name__ == "MatMul":  # a student's, too
        terms: int = inputs[0].shape[-1]
        return 2 * terms * _size(output)
    if isinstance(op, Einsum) and len(inputs) == 2:
        operands, _, kept = op.subscripts.partition("->")
        extents: dict[str, int] = {
            label: n for labels, x in zip(operands.split(","), inputs) for label, n in zip(labels, x.shape, strict=True)
        }
        return prod(extents.values()) * (1 if set(extents) == set(kept) else 2)
    return 0 if type(op).__module__ in MOVING else size


def _size(node: Any) -> int:
    shape = node.shape
    return sum(map(prod, shape)) if isinstance(node, TensorTuple) else prod(shape)
