"""Forward rules: sums, quotients, powers, choices."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw5.tests.checks import along, constant, is_graph_of, node_of, tangent
from hw.testing import hint, same
from needle import ops
from needle.autograd import Tensor

MOVES = ["a and b", "a", "b"]


def compare(op, f, moves, arrays, tangents, mistakes=None, of=""):
    """Compare the tangent with the difference quotient."""
    arrays = [np.asarray(x, dtype=float) for x in arrays]
    tangents = [None if moves not in ("a and b", name) else np.asarray(t, float) for name, t in zip("ab", tangents)]
    expected = along(f, arrays, tangents)
    wrong = {what: g for what, g in (mistakes or {}).items() if not np.allclose(g, expected)}
    given = dict(zip(["a", "b", "da", "db"], [*arrays, *tangents]))
    found = tangent(op, f(*arrays), arrays, tangents)
    same(found, expected, of=f"the tangent of {of}, with {moves} moving", given=given, mistakes=wrong)


def four(*shape, low=0.5):
    """Arrays and tangents."""
    return [random(*shape, seed=i, low=low) for i in (0, 1)], [random(*shape, seed=i) for i in (2, 3)]


@hint("da + db, of those that there are: None is passed over.")
@pytest.mark.parametrize("moves", MOVES)
@pytest.mark.parametrize("shape", [(1,), (2, 3)])
def test_sum(moves, shape):
    compare(ops.EWiseAdd(), np.add, moves, *four(*shape), of="a + b")


@hint("d(a/b) = da/b - a db/b^2 = (da - (a/b) db) / b, where a/b is `node`.")
@pytest.mark.parametrize("moves", MOVES)
@pytest.mark.parametrize("shape", [(1,), (2, 2)])
def test_quotient(moves, shape):
    (a, b), (da, db) = four(*shape)
    zero_a, zero_b = (moves != "b") * da, (moves != "a") * db
    mistakes = {
        "the sign of the share of b is wrong": zero_a / b + a * zero_b / b**2,
        "the share of b is not divided by b twice": (zero_a - a * zero_b) / b,
        "this is da / db": da / db,
        "only a moves": da / b,
    }
    compare(ops.EWiseDiv(), np.divide, moves, (a, b), (da, db), mistakes, of="a / b")


@hint("da b a^(b-1) + db a^b log a: by_base(a, b) and by_exponent(a, b) are the two derivatives.")
@pytest.mark.parametrize("moves", MOVES)
@pytest.mark.parametrize("shape", [(1,), (2, 2)])
def test_power(moves, shape):
    (a, b), (da, db) = four(*shape)
    mistakes = {
        "the derivatives are swapped": (moves != "b") * da * a**b * np.log(a) + (moves != "a") * db * b * a ** (b - 1),
        "only a moves": da * b * a ** (b - 1),
        "the tangents are missing": b * a ** (b - 1) + a**b * np.log(a),
    }
    compare(ops.EWisePow(), np.power, moves, (a, b), (da, db), mistakes, of="a^b")


@hint("The tangent of the one that was taken: each tangent times weight(its operand, the other).")
@pytest.mark.parametrize("moves", MOVES)
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_extremes(moves, name):
    op, f = {"maximum": (ops.Maximum(), np.maximum), "minimum": (ops.Minimum(), np.minimum)}[name]
    a, b = np.array([1.0, 2.0, -3.0, 0.0]), np.array([2.0, 1.0, -4.0, 5.0])
    da, db = random(4), random(4, seed=1)
    mistakes = {
        "this is the extreme of the tangents": f(da, db),
        "the tangent of the other operand is taken": np.where(f(a, b) == a, db, da),
        "both tangents are added": da + db,
    }
    compare(op, f, moves, (a, b), (da, db), mistakes, of=f"the {name} of a and b")


@hint("Where a = b, each of the two contributes half: weight says so.")
@pytest.mark.parametrize("moves", MOVES)
def test_equal_operands(moves):
    a, (da, db) = np.array([1.0, -2.0]), (np.array([3.0, 4.0]), np.array([5.0, -4.0]))
    tangents = [da if moves != "b" else None, db if moves != "a" else None]
    expected = sum(t / 2 for t in tangents if t is not None)
    for op in (ops.Maximum(), ops.Minimum()):
        same(tangent(op, a, [a, a], tangents), expected, of=f"the tangent of {op!r} where a = b, with {moves} moving")


@hint("where(condition, da, db); zeros_like(x) for an operand that does not move, and None if neither does.")
@pytest.mark.parametrize("moves", [*MOVES, "the condition"])
def test_where(moves):
    c, a, b = np.array([1.0, 0.0, 1.0]), random(3), random(3, seed=1)
    da, db = random(3, seed=2), random(3, seed=3)
    expected = {
        "a and b": np.where(c, da, db),
        "a": np.where(c, da, 0),
        "b": np.where(c, 0, db),
        "the condition": None,
    }[moves]
    tangents = [np.ones(3), da if moves in ("a and b", "a") else None, db if moves in ("a and b", "b") else None]
    mistakes = {"the operand itself takes the place of a tangent that is not there": np.where(c, da, b)}
    mistakes = mistakes if moves == "a" else {}
    found = tangent(ops.Where(), np.where(c, a, b), [c, a, b], tangents)
    given = {"condition": c, "a": a, "b": b, "da": tangents[1], "db": tangents[2]}
    same(found, expected, of=f"the tangent of where, with {moves} moving", given=given, mistakes=mistakes)


@hint("Write with Tensors and operators, as in gradient.")
@pytest.mark.parametrize("op", [ops.EWiseDiv(), ops.EWisePow()])
def test_tangents_can_be_differentiated(op):
    a, b = Tensor(random(2, low=0.5)), Tensor(random(2, seed=1, low=0.5))
    node = node_of(op, op.compute(a.numpy(), b.numpy()), a, b)
    for tangents in ((constant([1.0, 2.0]), None), (None, constant([1.0, 2.0]))):
        found = op.jvp(tangents, node)
        same(is_graph_of(found, b), True, of=f"whether the tangent of {op!r} is made of b, by operators")
