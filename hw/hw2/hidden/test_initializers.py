"""Initial weights, with care: other activations, one draw, the spread of many numbers."""

from __future__ import annotations

import numpy as np
import pytest

from hw.hw2.tests.checks import drawing
from hw.testing import hint, same
from needle import init

ALL = ["xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal"]


@hint("KAIMING_GAINS[nonlinearity] is the gain: sqrt(2) for relu alone.")
@pytest.mark.parametrize(("nonlinearity", "gain"), [("linear", 1.0), ("tanh", 5 / 3), ("sigmoid", 1.0)])
def test_gains(nonlinearity, gain):
    draw = drawing(3)
    found = init.kaiming_uniform(5, 2, nonlinearity=nonlinearity)
    same(found, (draw.rand(5, 2) * 2 - 1) * gain * np.sqrt(3 / 5), of=f"kaiming_uniform for {nonlinearity}")
    found = init.kaiming_normal(5, 2, nonlinearity=nonlinearity)
    same(found, draw.randn(5, 2) * gain / np.sqrt(5), of=f"kaiming_normal for {nonlinearity}")


@hint("One draw for one tensor: the generator is where it is after that.")
@pytest.mark.parametrize("name", ALL)
def test_draws_once(name):
    draw = drawing(5)
    found = getattr(init, name)(4, 3)
    (draw.rand if "uniform" in name else draw.randn)(4, 3)
    same(np.random.rand(), draw.rand(), of=f"the next random number after {name}")
    same(found.requires_grad, False, of=f"{name}(4, 3).requires_grad")


@hint("The standard deviation of many weights is what the docstring says, for uniform and normal alike.")
@pytest.mark.parametrize("name", ALL)
def test_spread(name):
    np.random.seed(0)
    std = np.sqrt(2 / 1000) if "kaiming" in name else np.sqrt(2 / 1200)
    found = getattr(init, name)(1000, 200).numpy()
    same([found.std() / std, 1 + found.mean()], [1.0, 1.0], of=f"std and mean of {name}(1000, 200)", rtol=0.02)


@hint("device, dtype and requires_grad go on to rand and randn, with a shape, too.")
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(3,), (2, 1, 2, 3)])
def test_keywords_and_shapes(name, shape):
    draw = drawing(11)
    found = getattr(init, name)(9, 7, shape=shape, dtype="float64", requires_grad=True)
    if name == "xavier_uniform":
        expected = (draw.rand(*shape) * 2 - 1) * np.sqrt(6 / 16)
    elif name == "kaiming_uniform":
        expected = (draw.rand(*shape) * 2 - 1) * np.sqrt(6 / 9)
    else:
        expected = draw.randn(*shape) * np.sqrt(2 / (16 if name == "xavier_normal" else 9))
    same(found, expected, of=f"{name}(9, 7, shape={shape})", dtype="float64", rtol=1e-9)
    same(found.requires_grad, True, of="requires_grad")
