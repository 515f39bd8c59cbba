"""Linear, with care."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import constant, drawing
from hw.hw2.tests.test_linear import draws, layer
from hw.testing import hint, same
from needle import nn


@hint("dtype is that of the parameters; the numbers are the same but for rounding.")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(dtype):
    drawing(1)
    module = nn.Linear(3, 2, dtype=dtype)
    for name, found, expected in zip(("weight", "bias"), (module.weight, module.bias), draws(3, 2)):
        same(found, expected, of=f"Linear(3, 2, dtype={dtype!r}).{name}", dtype=dtype, rtol=1e-6)
    x = constant(random(2, 3, dtype=dtype))
    same(module(x).dtype, dtype, of="the dtype of the output")


@hint("Both parameters are leaves that require a gradient, and keep the size that they were given.")
@pytest.mark.parametrize("bias", [True, False])
def test_attributes(bias):
    module = nn.Linear(3, 5, bias)
    same([module.in_features, module.out_features], [3, 5], of="in_features and out_features")
    parameters = [module.weight, *([module.bias] if bias else [])]
    same([p.is_leaf() and p.requires_grad and p.op is None for p in parameters], [True] * len(parameters), of="leaves")
    same(repr(module), f"Linear(in_features=3, out_features=5, bias={bias})", of="repr")
    same(module.training, True, of="training, at first")


@hint("Leading axes are samples: (2, 3, 4, n) gives (2, 3, 4, m). The input and parameters stay what they are.")
@pytest.mark.parametrize("shape", [(5, 3), (2, 1, 3), (2, 3, 4, 3), (0, 3)])
def test_leading_axes(shape):
    module, x = layer(3, 2), random(*shape)
    before = x.copy()
    expected = x @ random(3, 2, seed=1) + random(1, 2, seed=2)[0]
    same(module(constant(x)), expected, of=f"Linear(3, 2)(x), x of shape {shape}")
    same(x, before, of="x, afterwards")


@hint("No random number is drawn in forward, and calling it twice gives the same.")
def test_forward_draws_nothing():
    module, x = layer(3, 2), constant(random(2, 3))
    draw = drawing(4)
    first, second = module(x).numpy(), module(x).numpy()
    same(first, second, of="the output, the second time")
    same(np.random.rand(), draw.rand(), of="the next random number")
