"""Forward rules: variance, largest element, logsumexp, log-softmax."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw5.tests.checks import along, constant, is_graph_of, node_of, tangent
from hw.testing import hint, same
from needle import ops
from needle.autograd import Tensor

# Shape, axes, keepdims.
CASES = [((3,), None, False), ((2, 3), 1, False), ((2, 3), 0, True), ((2, 3, 2), (0, 2), False), ((3, 3), -1, False)]


def lse(a, axes=None, keepdims=False):
    """logsumexp, in NumPy, for small numbers."""
    return np.log(np.sum(np.exp(a), axis=axes, keepdims=keepdims))


def compare(op, f, a, da, mistakes=None):
    expected = along(f, [a], [da])
    wrong = {what: g for what, g in (mistakes or {}).items() if np.shape(g) == expected.shape}
    found = tangent(op, f(a), [a], [da])
    same(found, expected, of=f"the tangent of {op!r}", given={"a": a, "da": da}, mistakes=wrong)


@hint("2/n sum((a - mean) da), over self.axes; self.count(a.shape) is n.")
@pytest.mark.parametrize(("shape", "axes", "keepdims"), CASES)
def test_variance(shape, axes, keepdims):
    a, da = random(*shape), random(*shape, seed=1)
    deviation = a - a.mean(axis=axes, keepdims=True)
    options = {"axis": axes, "keepdims": keepdims}
    mistakes = {
        "the sum is there instead of the mean": 2 * (deviation * da).sum(**options),
        "the factor 2 is missing": (deviation * da).mean(**options),
        "the mean is not subtracted": 2 * (a * da).mean(**options),
        "this is the variance of the tangent": da.var(**options),
    }
    compare(ops.Var(axes, keepdims), lambda x: x.var(**options), a, da, mistakes)


@hint("The tangent of the element that was taken: da times weights(node), summed over the axes.")
@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize(("shape", "axes", "keepdims"), CASES)
def test_extremum(name, shape, axes, keepdims):
    a, da = random(*shape), random(*shape, seed=1)
    op, f = {"max": (ops.Max, np.max), "min": (ops.Min, np.min)}[name]
    options = {"axis": axes, "keepdims": keepdims}
    mistakes = {"this is the extreme tangent": f(da, **options), "all tangents are added": da.sum(**options)}
    compare(op(axes, keepdims), lambda x: f(x, **options), a, da, mistakes)


@hint("Of equal elements, the mean of their tangents: weights gives 1/n to each.")
@pytest.mark.parametrize(("a", "axes"), [([2.0, 2.0, 1.0], None), ([[1.0, 1.0], [3.0, 2.0]], 1)])
def test_equal_elements(a, axes):
    a = np.array(a)
    da = np.arange(a.size, dtype=float).reshape(a.shape)
    expected = 0.5 if axes is None else np.array([0.5, 2.0])
    same(tangent(ops.Max(axes), a.max(axes), [a], [da]), expected, of="the tangent of max", given={"a": a, "da": da})


@hint("sum(softmax(a) da), over self.axes. softmax(a) is exp(a - logsumexp(a)), and logsumexp(a) is `node`.")
@pytest.mark.parametrize(("shape", "axes", "keepdims"), CASES)
def test_logsumexp(shape, axes, keepdims):
    a, da = random(*shape), random(*shape, seed=1)
    weights = np.exp(a - lse(a, axes, True))
    options = {"axis": axes, "keepdims": keepdims}
    mistakes = {
        "the sum is missing": weights * da,
        "this is logsumexp of the tangent": lse(da, axes, keepdims),
        "the softmax is not normalized": np.sum(np.exp(a) * da, **options),
        "the sum is over all axes": np.sum(weights * da) * np.ones_like(da.sum(**options)),
    }
    mistakes = mistakes if da.sum(**options).ndim else {}
    compare(ops.LogSumExp(axes, keepdims), lambda x: lse(x, axes, keepdims), a, da, mistakes)


@hint("da - sum(softmax(a) da), where softmax(a) is exp(node); self.total sums along the axis, and repeats.")
@pytest.mark.parametrize(("shape", "axis"), [((3,), -1), ((2, 3), -1), ((2, 3), 0), ((2, 2), 1), ((2, 3, 2), 1)])
def test_logsoftmax(shape, axis):
    a, da = random(*shape), random(*shape, seed=1)
    s = np.exp(a - lse(a, axis, True))
    mistakes = {
        "this is the gradient: softmax(a) times the sum": da - s * da.sum(axis, keepdims=True),
        "this is the tangent of softmax": s * (da - (s * da).sum(axis, keepdims=True)),
        "the sum is over another axis": da - (s * da).sum(),
        "da itself is missing": -(s * da).sum(axis, keepdims=True) * np.ones(shape),
    }
    compare(ops.LogSoftmax(axis), lambda x: x - lse(x, axis, True), a, da, mistakes)


@hint("exp(1000) is too large. Subtract before the exponential is taken: exp(a - spread logsumexp).")
@pytest.mark.parametrize("a", [[1000.0, 0.0], [1000.0, 1000.0], [-1000.0, -1001.0]])
def test_large_numbers(a):
    a, da = np.array(a), np.array([1.0, 3.0])
    y = np.logaddexp(*a)
    s = np.exp(a - y)
    same(
        tangent(ops.LogSumExp(), y, [a], [da]), (s * da).sum(), of="the tangent of logsumexp", given={"a": a, "da": da}
    )
    expected = da - (s * da).sum()
    same(
        tangent(ops.LogSoftmax(), a - y, [a], [da]), expected, of="the tangent of log-softmax", given={"a": a, "da": da}
    )


@hint("Write with operators on Tensors: tangents can be differentiated again.")
@pytest.mark.parametrize("op", [ops.Var(1), ops.LogSumExp(1), ops.LogSoftmax()])
def test_tangents_can_be_differentiated(op):
    a, da = Tensor(random(2, 3)), Tensor(random(2, 3, seed=1))
    node = node_of(op, op.compute(a.numpy()), a)
    of = f"whether the tangent of {op!r} is made of a and da"
    same(is_graph_of(op.jvp((da,), node), a, da), True, of=of)
    same(is_graph_of(op.jvp((constant(da.numpy()),), node), a), True, of=f"{of}, where da is constant")
