"""Gradients of log, exp and relu, with care."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import numerical, random
from hw.hw1.tests.checks import gradients, node_of
from hw.testing import hint, same
from needle.autograd import Tensor
from needle.ops import Exp, Log, ReLU

CASES = [(Log(), np.log, 0.3), (Exp(), np.exp, -3.0), (ReLU(), lambda a: np.maximum(a, 0), -2.03)]


@hint("Any shape, also without axes and without elements.")
@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (2, 1, 3), (2, 2, 2, 2)])
@pytest.mark.parametrize(("op", "f", "low"), CASES, ids=str)
def test_any_shape(op, f, low, shape):
    a, g = random(*shape, low=low) + 0.003, random(*shape, seed=1)
    (found,) = gradients(op, f(a), g, a)
    same(found, numerical(f, g, a)[0], of=f"the gradient of {op}", given={"a": a, "out_grad": g})


@hint("float32 stays float32.")
@pytest.mark.parametrize(("op", "f", "low"), CASES, ids=str)
def test_dtypes_are_kept(op, f, low):
    a, g = random(2, 3, low=low, dtype="float32"), random(2, 3, seed=1, dtype="float32")
    (found,) = gradients(op, f(a), g, a)
    expected = numerical(f, g, a.astype("float64"))[0]
    same(found, expected, of=f"the gradient of {op}", dtype="float32", rtol=1e-3, atol=1e-4)


@hint("Large numbers pass, too: relu's derivative is a comparison and no quotient.")
def test_large_numbers():
    a, g = np.array([1000.0, -1000.0, 1e-300, -1e-300]), np.array([1.0, 2.0, 3.0, 4.0])
    same(gradients(ReLU(), np.maximum(a, 0), g, a)[0], np.array([1.0, 0.0, 3.0, 0.0]), of="the gradient of relu")
    same(gradients(Log(), np.log(a[[0, 2]]), g[[0, 2]], a[[0, 2]])[0], g[[0, 2]] / a[[0, 2]], of="the gradient of log")


@hint("Neither inputs nor out_grad may be written to.")
@pytest.mark.parametrize(("op", "f", "low"), CASES, ids=str)
def test_nothing_is_written_to(op, f, low):
    a, g = Tensor(random(3, low=low)), Tensor(random(3, seed=1))
    node = node_of(op, f(a.numpy()), a)
    op.gradient_as_tuple(g, node)
    same(a, random(3, low=low), of=f"the input, after {op}.gradient")
    same(g, random(3, seed=1), of=f"out_grad, after {op}.gradient")
    same(node, f(random(3, low=low)), of=f"the output, after {op}.gradient")
