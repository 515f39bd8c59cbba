"""Linear."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import constant, drawing, fill, gradients
from hw.testing import hint, same
from needle import nn


def draws(n, m, seed=1):
    draw = np.random.RandomState(seed)
    weight = (draw.rand(n, m) * 2 - 1) * np.sqrt(6 / n)
    return weight, (draw.rand(1, m) * 2 - 1) * np.sqrt(6 / m)


def layer(n, m, bias=True):
    module = nn.Linear(n, m, bias=bias, dtype="float64")
    fill(module.weight, random(n, m, seed=1))
    if bias:
        fill(module.bias, random(1, m, seed=2))
    return module


@hint("weight: kaiming_uniform(in_features, out_features); it is drawn before the bias.")
@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 2), (2, 5)])
def test_weight(n, m):
    drawing(1)
    module = nn.Linear(n, m)
    weight, _ = draws(n, m)
    backwards = np.random.RandomState(1)
    backwards.rand(1, m)
    after_bias = (backwards.rand(n, m) * 2 - 1) * np.sqrt(6 / n)
    mistakes = {
        "the bias was drawn first": after_bias,
        "the fans are swapped": weight * np.sqrt(n / m),
        "it is transposed": draws(m, n)[0],
    }
    same(module.weight, weight, of=f"Linear({n}, {m}).weight", mistakes=mistakes, dtype="float32")
    same(isinstance(module.weight, nn.Parameter), True, of="whether weight is a Parameter")


@hint("bias: Kaiming uniform with fan_in = out_features, in shape (1, out_features).")
@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 2), (2, 5)])
def test_bias(n, m):
    drawing(1)
    module = nn.Linear(n, m)
    _, bias = draws(n, m)
    mistakes = {
        "fan_in is in_features": bias * np.sqrt(m / n),
        "fan_in is 1": bias * np.sqrt(m),
        "the shape is (out_features,)": bias[0],
        "the shape is (out_features, 1)": bias.T,
        "the bias is zero": bias * 0,
    }
    same(module.bias, bias, of=f"Linear({n}, {m}).bias", mistakes=mistakes, dtype="float32")
    same(isinstance(module.bias, nn.Parameter), True, of="whether bias is a Parameter")


@hint("x @ W + b; b has to be broadcast to the shape of x @ W.")
@pytest.mark.parametrize(("shape", "m"), [((1, 1), 1), ((2, 3), 4), ((3, 3), 3), ((2, 2, 3), 4)])
def test_forward(shape, m):
    module, x = layer(shape[-1], m), random(*shape)
    W, b = random(shape[-1], m, seed=1), random(1, m, seed=2)  # noqa: N806
    mistakes = {
        "the bias is missing": x @ W,
        "the bias is subtracted": x @ W - b,
        "it is x W^T": shape[-1] == m and x @ W.T + b,
    }
    same(module(constant(x)), x @ W + b, of="Linear(...)(x)", given={"x": x, "weight": W, "bias": b}, mistakes=mistakes)


@hint("With bias=False `bias` is None, nothing is drawn for it, and nothing is added.")
@pytest.mark.parametrize(("n", "m"), [(2, 1), (3, 4)])
def test_without_bias(n, m):
    draw = drawing(1)
    module = nn.Linear(n, m, bias=False)
    draw.rand(n, m)
    same(np.random.rand(), draw.rand(), of="the next random number after Linear(..., bias=False)")
    same(module.bias, None, of="Linear(..., bias=False).bias")
    x = random(2, n)
    module = layer(n, m, bias=False)
    same(module(constant(x)), x @ random(n, m, seed=1), of="Linear(..., bias=False)(x)")


@hint("The output is made of x, weight and bias by operators, so that backward() finds the way.")
@pytest.mark.parametrize("n", [1, 3])
def test_gradients(n):
    module, x = layer(2, 3), random(n, 2)
    X = nn.Parameter(x)  # noqa: N806
    g = random(n, 3, seed=5)
    found = gradients(module(X), g, [X, module.weight, module.bias])
    expected = [g @ module.weight.numpy().T, x.T @ g, g.sum(0, keepdims=True)]
    for name, f, e in zip(("x", "weight", "bias"), found, expected):
        same(f, e, of=f"the gradient of {name}", given={"x": x, "out_grad": g})
