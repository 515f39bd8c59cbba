"""logsumexp, forward and gradient."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hw.derivatives import numerical, random
from hw.hw1.tests.checks import gradients, is_graph_of, node_of
from hw.testing import hint, same
from needle.autograd import Tensor
from needle.ops import LogSumExp


def reference(a, axes=None, keepdims=False):
    """The definition: good for moderate numbers."""
    return np.log(np.sum(np.exp(a), axis=axes, keepdims=keepdims))


@hint("log(sum(exp(a))) over all elements.")
@pytest.mark.parametrize("a", [[0.0, 0.0], [1.0, 2.0, 3.0], [[0.5, -1.0], [2.0, 0.0]]])
def test_all_elements(a):
    a = np.array(a)
    expected = np.array(math.log(sum(math.exp(x) for x in a.flat)))
    mistakes = {
        "the logarithm is missing": np.exp(expected),
        "log and exp cancelled: this is the sum": a.sum(),
        "the largest element was subtracted, but not added again": expected - a.max(),
        "the largest element was added twice": expected + a.max(),
        "this is the largest element": a.max(),
        "the exponentials are averaged, not summed": expected - math.log(a.size),
    }
    same(LogSumExp().compute(a), expected, of="LogSumExp().compute(a)", given={"a": a}, mistakes=mistakes, rtol=1e-6)


@hint("Over some axes: the result has lost them.")
@pytest.mark.parametrize(
    ("shape", "axes"), [((2, 3), 1), ((2, 3), (0,)), ((3, 3), 1), ((2, 3, 4), (0, 2)), ((2, 3, 4), -1), ((1, 3), 1)]
)
def test_axes(shape, axes):
    a = random(*shape)
    mistakes = {"the axes are still there": reference(a, axes, keepdims=True), "everything is summed": reference(a)}
    of = f"LogSumExp({axes}).compute(a)"
    same(LogSumExp(axes).compute(a), reference(a, axes), of=of, given={"a": a}, mistakes=mistakes, rtol=1e-6)


@hint("With self.keepdims the axes stay, with extent 1.")
@pytest.mark.parametrize(("shape", "axes"), [((2, 3), 1), ((2, 3), None), ((2, 3, 4), (0, 2))])
def test_keepdims(shape, axes):
    a = random(*shape)
    of = f"LogSumExp({axes}, keepdims=True).compute(a)"
    same(LogSumExp(axes, keepdims=True).compute(a), reference(a, axes, keepdims=True), of=of, given={"a": a}, rtol=1e-6)


@hint("exp(1000) overflows. Subtract the largest element first, add it at the end.")
@pytest.mark.parametrize(
    "a", [[[1000.0, 1000.0]], [[-1000.0, -1000.0]], [[1000.0, -1000.0], [-1000.0, -1001.0], [0.0, 1.0]]]
)
def test_large_elements(a):
    a = np.array(a)
    expected = np.array([max(row) + math.log(sum(math.exp(x - max(row)) for x in row)) for row in a.tolist()])
    with np.errstate(all="ignore"):
        found = LogSumExp(1).compute(a)
        one_for_all = np.log(np.exp(a - a.max()).sum(1)) + a.max()
        naive = reference(a, 1)
    mistakes = {
        "the exponentials overflow or vanish: nothing was subtracted from a": naive,
        "the largest of all elements was subtracted, not the largest of each row": one_for_all,
    }
    same(found, expected, of="LogSumExp(1).compute(a)", given={"a": a}, mistakes=mistakes, rtol=1e-9)


@hint("The derivative by a is softmax(a) = exp(a) / sum(exp(a)), times the out_grad of the row that it belongs to.")
@pytest.mark.parametrize(
    ("shape", "axes"), [((2,), None), ((2, 2), 1), ((2, 3), 0), ((2, 3), None), ((2, 3), -1), ((2, 3, 4), (0, 2))]
)
def test_gradient(shape, axes):
    a = random(*shape)
    y = np.asarray(reference(a, axes))
    g = np.asarray(random(*y.shape, seed=1))
    (found,) = gradients(LogSumExp(axes), y, g, a)
    kept = np.sum(a, axis=axes, keepdims=True).shape
    softmax = np.exp(a) / np.exp(a).sum(axis=axes, keepdims=True)
    mistakes = {
        "out_grad is missing": softmax,
        "the division by the sum is missing": g.reshape(kept) * np.exp(a),
        "out_grad went to the wrong row": g * softmax if shape == (2, 2) else None,
        "out_grad is not multiplied, but added": g.reshape(kept) + softmax,
    }
    expected = numerical(lambda a: reference(a, axes), g, a)[0]
    of = f"the gradient of a in logsumexp(a, {axes})"
    same(found, expected, of=of, given={"a": a, "out_grad": g}, mistakes=mistakes)


@hint("exp(a - logsumexp(a)) does not overflow; exp(a) / sum(exp(a)) does.")
@pytest.mark.parametrize("a", [[[1000.0, 1000.0]], [[-1000.0, -1000.0]], [[1000.0, -1000.0], [-1000.0, -1001.0]]])
def test_gradient_of_large_elements(a):
    a, g = np.array(a), np.arange(1.0, len(a) + 1)
    top = a.max(1, keepdims=True)
    softmax = np.exp(a - top) / np.exp(a - top).sum(1, keepdims=True)
    y = np.log(np.exp(a - top).sum(1)) + top[:, 0]
    with np.errstate(all="ignore"):
        (found,) = gradients(LogSumExp(1), y, g, a)
        naive = g[:, None] * np.exp(a) / np.exp(a).sum(1, keepdims=True)
    mistakes = {"the exponentials overflow or vanish": naive}
    expected = g[:, None] * softmax
    same(found, expected, of="the gradient of a in logsumexp(a, 1)", given={"a": a, "out_grad": g}, mistakes=mistakes)


@hint("Write the gradient with Tensors; softmax depends on a.")
@pytest.mark.parametrize("axes", [None, 1])
def test_gradients_can_be_differentiated(axes):
    a = Tensor(random(2, 3))
    y = np.asarray(reference(a.numpy(), axes))
    g = Tensor(np.ones(y.shape))
    found = LogSumExp(axes).gradient_as_tuple(g, node_of(LogSumExp(axes), y, a))[0]
    of = "whether the gradient is made of out_grad and a, by operators"
    same(is_graph_of(found, g, a), True, of=of)
