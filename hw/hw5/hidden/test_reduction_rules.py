"""Forward rules of reductions: more axes, large means, float32, ties."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw5.tests.checks import along, is_graph_of, node_of, tangent
from hw.hw5.tests.test_reduction_rules import lse
from hw.testing import hint, same
from needle import ops
from needle.autograd import Tensor

CASES = [((4, 1), 1, False), ((2, 2, 2), (-1, 0), True), ((2, 2, 2), (1,), False), ((1,), 0, False)]


@hint("Axes may be several, and count from the end; keepdims is part of the op.")
@pytest.mark.parametrize(("shape", "axes", "keepdims"), CASES)
def test_axes(shape, axes, keepdims):
    a, da = random(*shape), random(*shape, seed=1)
    options = {"axis": axes, "keepdims": keepdims}
    for op, f in (
        (ops.Var(axes, keepdims), lambda x: x.var(**options)),
        (ops.Max(axes, keepdims), lambda x: x.max(**options)),
        (ops.Min(axes, keepdims), lambda x: x.min(**options)),
        (ops.LogSumExp(axes, keepdims), lambda x: lse(x, axes, keepdims)),
    ):
        same(tangent(op, f(a), [a], [da]), along(f, [a], [da]), of=f"the tangent of {op!r}", given={"a": a, "da": da})


@hint("The variance of numbers with a large mean: subtract the mean from a, before anything is multiplied.")
def test_large_means():
    a, da = 1e12 + np.array([0.0, 1.0, 2.0]), np.array([3.0, 1.0, 2.5])
    same(tangent(ops.Var(), a.var(), [a], [da]), -1 / 3, of="the tangent of the variance, mean 1e12", rtol=1e-6)


@hint("Of three equal elements each contributes a third, in every row by itself.")
@pytest.mark.parametrize("op", [ops.Max(1), ops.Min(1)])
def test_ties(op):
    a = np.array([[1.0, 1.0, 1.0], [2.0, 5.0, 2.0]])
    da = np.array([[3.0, 6.0, 9.0], [1.0, 10.0, 3.0]])
    expected = [6.0, 10.0 if isinstance(op, ops.Max) else 2.0]
    same(tangent(op, op.compute(a), [a], [da]), expected, of=f"the tangent of {op!r}", given={"a": a, "da": da})


@hint("float32 stays float32.")
@pytest.mark.parametrize("op", [ops.Var(1), ops.Max(0), ops.LogSumExp(1), ops.LogSoftmax(0)])
def test_dtype(op):
    a, da = random(2, 3, dtype="float32"), random(2, 3, seed=1, dtype="float32")
    found = tangent(op, op.compute(a), [a], [da])
    expected = along(op.compute, [a.astype(float)], [da.astype(float)])
    same(found, expected, of=f"the tangent of {op!r}, in float32", dtype="float32", rtol=1e-3, atol=1e-4)


@hint("One large row must not disturb another: each row has its own logsumexp.")
def test_rows_of_different_size():
    a, da = np.array([[1000.0, 1001.0], [-1000.0, -1001.0], [0.0, 1.0]]), random(3, 2)
    y = np.logaddexp(a[:, 0], a[:, 1])
    s = np.exp(a - y[:, None])
    found = tangent(ops.LogSumExp(1), y, [a], [da])
    same(found, (s * da).sum(1), of="the tangent of logsumexp over rows", given={"a": a, "da": da})
    found = tangent(ops.LogSoftmax(), a - y[:, None], [a], [da])
    same(found, da - (s * da).sum(1, keepdims=True), of="the tangent of log-softmax", given={"a": a, "da": da})


@hint("Rules are made of Tensors: of a, where the derivative depends on it, and of da.")
@pytest.mark.parametrize("op", [ops.Max(0), ops.Min(None), ops.Var(None, True), ops.LogSoftmax(0)])
def test_tangents_are_made_of_tangents(op):
    a, da = Tensor(random(2, 3)), Tensor(random(2, 3, seed=1))
    before = a.numpy().copy(), da.numpy().copy()
    found = op.jvp((da,), node_of(op, op.compute(a.numpy()), a))
    same(is_graph_of(found, da), True, of=f"whether the tangent of {op!r} is made of da")
    same([a.numpy(), da.numpy()], list(before), of="a and da afterwards")
