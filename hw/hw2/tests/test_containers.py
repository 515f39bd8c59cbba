"""ReLU, Flatten, Sequential and Residual."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import constant, gradients
from hw.testing import hint, raises, same
from needle import nn


class Affine(nn.Module):
    """a x + b."""

    def __init__(self, a, b=0.0):
        super().__init__()
        self.a, self.b = a, b

    def forward(self, x):
        return x * self.a + self.b


class Sums(nn.Module):
    """The sum of each row, (n, 1)."""

    def forward(self, x):
        return x.sum((1,)).reshape((x.shape[0], 1))


@hint("max(x, 0), by the function relu of ops.")
@pytest.mark.parametrize("shape", [(1,), (2, 3)])
def test_relu(shape):
    x = random(*shape, seed=4)
    mistakes = {"nothing happens": x, "it is the absolute value": abs(x), "the sign is wrong": np.minimum(x, 0)}
    same(nn.ReLU()(constant(x)), np.maximum(x, 0), of="ReLU()(x)", given={"x": x}, mistakes=mistakes)


@hint("All axes but the first become one: (2, 3, 4) becomes (2, 12).")
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (1, 2, 1, 3), (3,)])
def test_flatten(shape):
    x = random(*shape)
    expected = x.reshape(shape[0], int(np.prod(shape[1:])))
    mistakes = {"the first axis is merged, too": x.reshape(-1), "nothing happens": x}
    same(nn.Flatten()(constant(x)), expected, of=f"Flatten()(x), x of shape {shape}", mistakes=mistakes)


@hint("The first module gets x, each other one what the one before it gives.")
@pytest.mark.parametrize("count", [1, 2, 3, 0])
def test_sequential(count):
    parts = [(2.0, 1.0), (-1.0, 3.0), (0.5, -4.0)][:count]
    x = random(2, 2)
    expected, backwards = x, x
    for a, b in parts:
        expected = expected * a + b
    for a, b in reversed(parts):
        backwards = backwards * a + b
    mistakes = {
        "the modules are applied in reverse order": backwards if count > 1 else None,
        "only the first module is applied": x * parts[0][0] + parts[0][1] if count > 1 else None,
        "only the last module is applied": x * parts[-1][0] + parts[-1][1] if count > 1 else None,
    }
    found = nn.Sequential(*[Affine(a, b) for a, b in parts])(constant(x))
    same(found, expected, of=f"Sequential of {count} modules, a x + b each", given={"x": x}, mistakes=mistakes)


@hint("fn(x) + x, and the gradient comes both ways: through fn, and directly.")
@pytest.mark.parametrize("a", [3.0, -1.0])
def test_residual(a):
    x = random(2, 3)
    X = nn.Parameter(x)  # noqa: N806
    y = nn.Residual(Affine(a, 1.0))(X)
    mistakes = {
        "x is not added": a * x + 1,
        "the output of fn is missing": x,
        "fn is applied twice": a * (a * x + 1) + 1,
    }
    same(y, a * x + 1 + x, of=f"Residual(fn)(x), fn(x) = {a} x + 1", given={"x": x}, mistakes=mistakes)
    g = random(2, 3, seed=1)
    same(gradients(y, g, [X])[0], (a + 1) * g, of="the gradient of x", mistakes={"one way is missing": a * g})


@hint("Adding (n, 1) and (n, m) broadcasts without a word. Compare the shapes, and raise a ValueError.")
@pytest.mark.parametrize("shape", [(2, 3), (3, 3)])
def test_residual_keeps_the_shape(shape):
    with raises(ValueError, of=f"Residual(fn)(x), x of shape {shape}, fn(x) of shape {(shape[0], 1)}"):
        nn.Residual(Sums())(constant(random(*shape)))
