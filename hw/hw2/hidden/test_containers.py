"""ReLU, Flatten, Sequential and Residual, with care."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import constant, gradients
from hw.hw2.tests.test_containers import Affine
from hw.testing import hint, same
from needle import nn


class Counted(nn.Module):
    """Counts how often it is called, and how often its forward is."""

    def __init__(self):
        super().__init__()
        self.calls = self.forwards = 0

    def __call__(self, x):
        self.calls += 1
        return super().__call__(x)

    def forward(self, x):
        self.forwards += 1
        return x * 2


@hint("module(x), not module.forward(x): the call tells the debugger which layer it is in. And once each.")
@pytest.mark.parametrize("kind", ["sequential", "residual"])
def test_modules_are_called(kind):
    part = Counted()
    module = nn.Sequential(part, part) if kind == "sequential" else nn.Residual(part)
    same(module(constant(np.ones((1, 2)))), np.full((1, 2), 4.0 if kind == "sequential" else 3.0), of="the output")
    times = 2 if kind == "sequential" else 1
    same([part.calls, part.forwards], [times, times], of="how often the module was called, and its forward")


@hint("Rows stay in place and elements in row-major order, for empty batches and long shapes, too.")
@pytest.mark.parametrize("shape", [(0, 3, 2), (4, 1), (2, 2, 2, 2, 2), (3, 0)])
def test_flatten_shapes(shape):
    x = random(*shape)
    found = nn.Flatten()(nn.Parameter(x))
    same(found, x.reshape(shape[0], int(np.prod(shape[1:]))), of=f"Flatten()(x), x of shape {shape}")


@hint("Gradients come through all of them, in the shape of the input.")
def test_gradients():
    x = random(2, 2, 2, seed=3)
    X = nn.Parameter(x)  # noqa: N806
    module = nn.Sequential(nn.Flatten(), nn.Residual(nn.Sequential(nn.ReLU(), Affine(3.0))), nn.ReLU())
    g = random(2, 4, seed=1)
    flat = x.reshape(2, 4)
    same(module(X), np.maximum(np.maximum(flat, 0) * 3 + flat, 0), of="the output")
    same(gradients(module(X), g, [X])[0], (g * (flat > 0) * 4).reshape(x.shape), of="the gradient of x")


@hint("Sequential hands on whatever a module gives; it does not look at it.")
def test_sequential_hands_on_anything():
    class Pair(nn.Module):
        def forward(self, x):
            return x, x * 2

    class Difference(nn.Module):
        def forward(self, pair):
            return pair[1] - pair[0]

    x = random(2, 3)
    same(nn.Sequential(Pair(), Difference())(constant(x)), x, of="Sequential of two modules with a pair between")
    same(nn.Sequential(Affine(2.0), nn.Sequential(), Affine(3.0))(constant(x)), 6 * x, of="an empty one inside")
