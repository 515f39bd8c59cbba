"""Forward rules of arithmetic: edges, float32, NaN, and whether the rules can be differentiated."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw5.tests.checks import is_graph_of, node_of, tangent
from hw.testing import hint, same
from needle import ops
from needle.autograd import Tensor


@hint("0^0 does not move with its base, and powers of numbers that are not positive do not move with their exponent.")
@pytest.mark.parametrize(
    ("a", "b", "moves", "expected"),
    [(0.0, 0.0, "a", 0.0), (0.0, 2.0, "a", 0.0), (-2.0, 3.0, "a", 12.0), (-2.0, 2.0, "b", 0.0), (0.0, 2.0, "b", 0.0)],
)
def test_edges_of_powers(a, b, moves, expected):
    arrays, one = [np.array([a]), np.array([b])], np.array([1.0])
    found = tangent(ops.EWisePow(), arrays[0] ** arrays[1], arrays, [one if moves == each else None for each in "ab"])
    same(found, [expected], of=f"the tangent of {a:g}^{b:g}, where {'base' if moves == 'a' else 'exponent'} moves")


@hint("A selection: what is not taken has no influence, not even as NaN. A product with 0 is not a selection.")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_where_does_not_let_nan_through(bad):
    c, x = np.array([1.0, 0.0]), np.array([1.0, 2.0])
    found = tangent(ops.Where(), x, [c, x, x], [None, np.array([3.0, bad]), np.array([bad, 4.0])])
    same(found, [3.0, 4.0], of=f"the tangent of where, with {bad} in what is not taken")


@hint("float32 stays float32.")
@pytest.mark.parametrize("moves", [(0,), (1,), (0, 1)])
def test_dtype(moves):
    arrays = [random(2, seed=i, low=0.5, dtype="float32") for i in range(4)]
    tangents = [t if i in moves else None for i, t in enumerate(arrays[2:])]
    for op in (ops.EWiseAdd(), ops.EWiseDiv(), ops.EWisePow(), ops.Maximum()):
        found = tangent(op, op.compute(*arrays[:2]), arrays[:2], tangents)
        same([found.dtype, found.shape == (2,)], ["float32", True], of=f"dtype and shape of the tangent of {op!r}")
    c = np.array([1.0, 0.0], dtype="float32")
    found = tangent(ops.Where(), arrays[0], [c, *arrays[:2]], [None, *tangents])
    same(found.dtype, "float32", of="the dtype of the tangent of where")


@hint("The tangents of the tangents: each rule is made of operators on inputs and tangents.")
@pytest.mark.parametrize("op", [ops.EWiseAdd(), ops.EWiseDiv(), ops.EWisePow(), ops.Maximum(), ops.Minimum()])
def test_tangents_are_made_of_tangents(op):
    a, b, da, db = (Tensor(random(2, seed=i, low=0.5)) for i in range(4))
    found = op.jvp((da, db), node_of(op, op.compute(a.numpy(), b.numpy()), a, b))
    same(is_graph_of(found, da, db), True, of=f"whether the tangent of {op!r} is made of da and db")


@hint("Inputs and tangents stay what they are.")
def test_nothing_is_changed():
    a, b, da, db = (Tensor(random(3, seed=i, low=0.5)) for i in range(4))
    before = [x.numpy().copy() for x in (a, b, da, db)]
    for op in (ops.EWiseAdd(), ops.EWiseDiv(), ops.EWisePow(), ops.Maximum()):
        op.jvp((da, db), node_of(op, op.compute(a.numpy(), b.numpy()), a, b))
        same([x.numpy() for x in (a, b, da, db)], before, of=f"inputs and tangents after {op!r}.jvp")


@hint("All elements of any shape, of none too.")
@pytest.mark.parametrize("shape", [(), (0,), (2, 1, 3)])
def test_shapes(shape):
    arrays = [random(*shape, seed=i, low=0.5) for i in range(4)]
    (a, b), (da, db) = arrays[:2], arrays[2:]
    same(tangent(ops.EWiseDiv(), a / b, [a, b], [da, db]), da / b - a * db / b**2, of=f"the tangent of a / b, {shape}")
    same(tangent(ops.EWiseAdd(), a + b, [a, b], [None, db]), db, of=f"the tangent of a + b, {shape}")
    expected = np.where(a > b, da, np.where(a < b, db, (da + db) / 2))
    same(tangent(ops.Maximum(), np.maximum(a, b), [a, b], [da, db]), expected, of=f"of the maximum, {shape}")
