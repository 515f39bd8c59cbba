"""Elementwise comparisons, as named functions: ``==`` on Tensors asks whether they are the same node.

A comparison gives 1 where it holds and 0 where not, in the dtype of its operands. It is piecewise constant: no gradient
passes.
"""

from __future__ import annotations

import operator
from typing import Any

from ..autograd import TensorOp
from ..tensor import Tensor, as_number
from .matching import match
from .rules import Constant

__all__ = [
    "Equal",
    "Greater",
    "GreaterEqual",
    "Less",
    "LessEqual",
    "NotEqual",
    "equal",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "not_equal",
]


class Comparison(Constant, TensorOp):
    """1 where the relation holds between a and b (or between a and a number), else 0."""

    relation: Any  # a function of two arrays, set by each subclass

    def __init__(self, scalar: float | None = None) -> None:
        self.scalar = scalar

    def compute(self, a: Any, b: Any = None) -> Any:
        """The relation, elementwise, as 0 and 1 in the dtype of `a`."""
        return self.relation(a, self.scalar if b is None else b).astype(a.dtype)


class Equal(Comparison):
    """1 where a = b."""

    relation = staticmethod(operator.eq)


class NotEqual(Comparison):
    """1 where a != b."""

    relation = staticmethod(operator.ne)


class Less(Comparison):
    """1 where a < b."""

    relation = staticmethod(operator.lt)


class LessEqual(Comparison):
    """1 where a <= b."""

    relation = staticmethod(operator.le)


class Greater(Comparison):
    """1 where a > b."""

    relation = staticmethod(operator.gt)


class GreaterEqual(Comparison):
    """1 where a >= b."""

    relation = staticmethod(operator.ge)


def _compare(kind: type[Comparison], a: Tensor, b: Any) -> Tensor:
    number = as_number(b)
    if isinstance(a, Tensor) and number is not None:
        return kind(number)(a)
    return kind()(*match(a, b, kind.__name__))


def equal(a: Tensor, b: Any) -> Tensor:
    """1 where a = b, else 0; `b` is a Tensor or a number."""
    return _compare(Equal, a, b)


def not_equal(a: Tensor, b: Any) -> Tensor:
    """1 where a != b, else 0; `b` is a Tensor or a number."""
    return _compare(NotEqual, a, b)


def less(a: Tensor, b: Any) -> Tensor:
    """1 where a < b, else 0; `b` is a Tensor or a number."""
    return _compare(Less, a, b)


def less_equal(a: Tensor, b: Any) -> Tensor:
    """1 where a <= b, else 0; `b` is a Tensor or a number."""
    return _compare(LessEqual, a, b)


def greater(a: Tensor, b: Any) -> Tensor:
    """1 where a > b, else 0; `b` is a Tensor or a number."""
    return _compare(Greater, a, b)


def greater_equal(a: Tensor, b: Any) -> Tensor:
    """1 where a >= b, else 0; `b` is a Tensor or a number."""
    return _compare(GreaterEqual, a, b)
