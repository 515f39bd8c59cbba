"""logsumexp, with care: any axes, any size of numbers, dtypes."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.derivatives import numerical, random
from hw.hw1.tests.checks import gradients, values
from hw.testing import hint, same
from needle.ops import LogSumExp

CASES = [
    ((), None),
    ((1,), 0),
    ((2, 3), ()),
    ((2, 1, 3), 1),
    ((3, 3, 3), 1),
    ((2, 3, 2, 3), (1, 3)),
    ((2, 3, 2, 3), (-1, 0)),
    ((0, 3), 1),
]


def reference(a, axes, keepdims=False):
    return np.log(np.sum(np.exp(a), axis=axes, keepdims=keepdims))


@hint("Any axes, with and without keepdims; arrays without rows give results without elements.")
@pytest.mark.parametrize(("shape", "axes"), CASES)
@pytest.mark.parametrize("keepdims", [False, True])
def test_any_axes(shape, axes, keepdims):
    a = random(*shape)
    expected = np.asarray(reference(a, axes, keepdims))
    found = LogSumExp(axes, keepdims).compute(a)
    same(found, expected, of=f"LogSumExp({axes}, {keepdims}).compute(a), a of shape {shape}", rtol=1e-9)
    g = np.asarray(random(*expected.shape, seed=1))
    (found,) = gradients(LogSumExp(axes, keepdims), expected, g, a)
    right = numerical(lambda a: reference(a, axes, keepdims), g, a)[0]
    same(found, right, of=f"the gradient of a in logsumexp(a, {axes}, {keepdims}), a of shape {shape}")


@hint("logsumexp(a + c) = logsumexp(a) + c for every c, however large; each row has a c of its own.")
@pytest.mark.parametrize("c", [[1e4, -1e4, 0.0], [700.0, 720.0, -800.0], [1e6, 1e6, -1e6]])
def test_rows_of_different_size(c):
    a = random(3, 4)
    shifted = a + np.array(c)[:, None]
    with np.errstate(all="ignore"):
        found = LogSumExp((1,)).compute(shifted)
        (gradient,) = gradients(LogSumExp((1,)), found, np.ones(3), shifted)
    same(found, reference(a, 1) + np.array(c), of="LogSumExp((1,)).compute(a)", given={"a": shifted}, rtol=1e-9)
    same(gradient, np.exp(a) / np.exp(a).sum(1, keepdims=True), of="the gradient of a", given={"a": shifted})


@hint("No warning either: nothing overflows on the way.")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_overflows(dtype):
    a = np.array([[1000.0, -1000.0, 999.0], [-1000.0, -1000.0, -1000.0]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        found = LogSumExp(1).compute(a)
    expected = np.array([1000 + np.log1p(np.exp(-1.0)), np.log(3) - 1000])
    same(found, expected.astype(dtype), of="LogSumExp(1).compute(a)", given={"a": a}, dtype=dtype, rtol=1e-6)


@hint("The input stays what it is: a - m makes a new array, a -= m does not.")
@pytest.mark.parametrize("axes", [None, 1])
def test_nothing_is_written_to(axes):
    a = random(2, 3)
    before = a.copy()
    LogSumExp(axes).compute(a)
    same(a, before, of=f"the input, after LogSumExp({axes}).compute")


@hint("float32 stays float32, and the function comes to your compute.")
def test_through_tensors():
    a = random(2, 3, dtype="float32")
    found = values(ndl.logsumexp(ndl.Tensor(a), axes=(1,)))
    same(found, reference(a, 1), of="ndl.logsumexp(a, axes=(1,))", given={"a": a}, dtype="float32")
    g = np.array([1.0, -2.0], "float32")
    (found,) = gradients(LogSumExp(1), reference(a, 1), g, a)
    expected = g[:, None] * np.exp(a) / np.exp(a).sum(1, keepdims=True)
    same(found, expected, of="the gradient of a", given={"a": a, "out_grad": g}, dtype="float32")
