"""Gradients: log, exp, relu."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import numerical, random
from hw.hw1.tests.checks import gradients, is_graph_of, node_of
from hw.testing import hint, same
from needle.autograd import Tensor
from needle.ops import Exp, Log, ReLU

SHAPES = [(1,), (3,), (2, 3)]


@hint("d(log a)/da = 1/a, times out_grad.")
@pytest.mark.parametrize("shape", SHAPES)
def test_log(shape):
    a, g = random(*shape, low=0.3), random(*shape, seed=1)
    (found,) = gradients(Log(), np.log(a), g, a)
    mistakes = {
        "out_grad is missing": 1 / a,
        "it is multiplied by a, not divided": g * a,
        "it is divided by the output, not by the input": g / np.log(a),
        "this is log, not its derivative": g * np.log(a),
    }
    expected = numerical(np.log, g, a)[0]
    same(found, expected, of="the gradient of a in log(a)", given={"a": a, "out_grad": g}, mistakes=mistakes)


@hint("exp is its own derivative, and exp(a) is there already: it is `node`.")
@pytest.mark.parametrize("shape", SHAPES)
def test_exp(shape):
    a, g = random(*shape), random(*shape, seed=1)
    (found,) = gradients(Exp(), np.exp(a), g, a)
    mistakes = {
        "out_grad is missing": np.exp(a),
        "it is multiplied by the input, not by exp of it": g * a,
        "this is exp of the output, exp(exp(a))": g * np.exp(np.exp(a)),
        "exp was applied to out_grad": np.exp(g),
    }
    expected = numerical(np.exp, g, a)[0]
    same(found, expected, of="the gradient of a in exp(a)", given={"a": a, "out_grad": g}, mistakes=mistakes)


@hint("Where a > 0 the adjoint passes unchanged, elsewhere it is 0.")
@pytest.mark.parametrize("a", [[2.0, -3.0], [-1.0, 3.0, 0.5], [[1.5, -2.0], [-0.5, 3.0]]])
def test_relu(a):
    a = np.array(a)
    g = random(*a.shape, seed=1, low=0.5)
    (found,) = gradients(ReLU(), np.maximum(a, 0), g, a)
    mistakes = {
        "out_grad is missing": (a > 0) * 1.0,
        "relu was applied to out_grad": np.maximum(g, 0),
        "it is multiplied by the output": g * np.maximum(a, 0),
        "it is the other way round: 1 where a < 0": g * (a < 0),
    }
    expected = np.where(a > 0, g, 0)
    same(found, expected, of="the gradient of a in relu(a)", given={"a": a, "out_grad": g}, mistakes=mistakes)


@hint("At a = 0 there is a kink, and the derivative is taken as 0: a > 0, not a >= 0.")
@pytest.mark.parametrize("a", [[0.0], [0.0, 1.0, -1.0]])
def test_relu_at_zero(a):
    a = np.array(a)
    g = np.full(a.shape, 3.0)
    (found,) = gradients(ReLU(), np.maximum(a, 0), g, a)
    mistakes = {"1 is taken at 0": g * (a >= 0), "1/2 is taken at 0": g * (np.sign(a) + 1) / 2}
    expected = g * (a > 0)
    same(found, expected, of="the gradient of a in relu(a)", given={"a": a, "out_grad": g}, mistakes=mistakes)


@hint("Write with Tensors; neither .numpy() nor cached_data for what the derivative depends on.")
@pytest.mark.parametrize("op", [Log(), Exp(), ReLU()], ids=str)
def test_gradients_can_be_differentiated(op):
    a, g = Tensor([1.0, 2.0]), Tensor([1.0, 1.0])
    node = node_of(op, op.compute(a.cached_data), a)
    found = op.gradient_as_tuple(g, node)[0]
    needed = (g,) if isinstance(op, ReLU) else (g, a)
    of = f"whether the gradient of {op} is made of what it depends on, by operators"
    same(is_graph_of(found, *needed), True, of=of)
