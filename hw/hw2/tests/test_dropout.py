"""Dropout."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import constant, drawing, gradients
from hw.testing import hint, same
from needle import nn


@hint("An element is kept where randb(..., p=1 - p) says so, and divided by 1 - p.")
@pytest.mark.parametrize(("shape", "p"), [((4,), 0.5), ((2, 3), 0.25), ((3, 4), 0.8), ((2, 2, 2), 0.5)])
def test_training(shape, p):
    x = random(*shape, low=1.0)
    draw = drawing(6).rand(*shape)
    kept = draw <= 1 - p
    mistakes = {
        "what is kept is not divided by 1 - p": x * kept,
        "what is kept is multiplied by 1 - p": x * kept * (1 - p),
        "what is kept is divided by p": x * kept / p,
        "elements are kept with probability p": x * (draw <= p) / (1 - p),
        "elements are kept with probability p, and divided by p": x * (draw <= p) / p,
        "those are set to zero that should be kept": x * ~kept / (1 - p),
        "nothing happens": x,
    }
    found = nn.Dropout(p)(constant(x))
    same(found, x * kept / (1 - p), of=f"Dropout({p})(x) while training", given={"x": x}, mistakes=mistakes)


@hint("In evaluation it is the identity, and draws nothing.")
@pytest.mark.parametrize("p", [0.5, 0.1])
def test_evaluation(p):
    x = random(2, 3)
    module = nn.Dropout(p)
    module.training = False
    draw = drawing(6)
    mistakes = {"it is multiplied by 1 - p": x * (1 - p), "it is divided by 1 - p": x / (1 - p)}
    same(module(constant(x)), x, of=f"Dropout({p})(x) in evaluation", given={"x": x}, mistakes=mistakes)
    same(np.random.rand(), draw.rand(), of="the next random number")


@hint("The gradient goes where the element was kept, divided by 1 - p as well.")
@pytest.mark.parametrize("p", [0.5, 0.2])
def test_gradient(p):
    x, g = random(3, 4), random(3, 4, seed=1)
    X = nn.Parameter(x)  # noqa: N806
    kept = drawing(2).rand(3, 4) <= 1 - p
    (found,) = gradients(nn.Dropout(p)(X), g, [X])
    mistakes = {"the gradient goes everywhere": g, "the division by 1 - p is missing": g * kept}
    same(found, g * kept / (1 - p), of="the gradient of x", given={"out_grad": g}, mistakes=mistakes)


@hint("A new mask for each call, one draw for all elements.")
@pytest.mark.parametrize("calls", [1, 3])
def test_draws(calls):
    module, x = nn.Dropout(0.5), constant(np.ones((2, 3)))
    draw = drawing(9)
    for call in range(calls):
        same(module(x), (draw.rand(2, 3) <= 0.5) * 2.0, of=f"the output of call {call + 1}")
    same(np.random.rand(), draw.rand(), of="the next random number")
