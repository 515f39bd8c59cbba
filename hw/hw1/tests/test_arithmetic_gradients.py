"""Gradients: negation, division, powers."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import numerical, random
from hw.hw1.tests.checks import gradients, is_graph_of, node_of
from hw.testing import hint, same
from needle.autograd import Tensor
from needle.ops import DivScalar, EWiseDiv, Negate, PowerScalar

SHAPES = [(1,), (3,), (2, 3)]


@hint("d(-a)/da = -1, times out_grad.")
@pytest.mark.parametrize("shape", SHAPES)
def test_negate(shape):
    a, g = random(*shape), random(*shape, seed=1)
    (found,) = gradients(Negate(), -a, g, a)
    mistakes = {"the sign is missing": g, "out_grad is missing": -np.ones(shape), "the output came back": -a}
    same(found, 0 - g, of="the gradient of a", given={"a": a, "out_grad": g}, mistakes=mistakes)


@hint("d(a/b)/da = 1/b, times out_grad.")
@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_of_the_numerator(shape):
    a, b, g = random(*shape), random(*shape, seed=1, low=2.0, high=4.0), random(*shape, seed=2)
    found = gradients(EWiseDiv(), a / b, g, a, b)[0]
    same(
        found,
        g / b,
        of="the gradient of a in a / b",
        given={"a": a, "b": b, "out_grad": g},
        mistakes={
            "out_grad is missing": 1 / b,
            "out_grad is multiplied by b, not divided": g * b,
            "the gradients of a and b are swapped": -g * a / b**2,
        },
    )


@hint("d(a/b)/db = -a/b^2, times out_grad: look at the sign and at the square.")
@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_of_the_denominator(shape):
    a, b, g = random(*shape), random(*shape, seed=1, low=2.0, high=4.0), random(*shape, seed=2)
    found = gradients(EWiseDiv(), a / b, g, a, b)[1]
    same(
        found,
        numerical(lambda a, b: a / b, g, a, b)[1],
        of="the gradient of b in a / b",
        given={"a": a, "b": b, "out_grad": g},
        mistakes={
            "the sign is wrong": g * a / b**2,
            "b is not squared": -g * a / b,
            "a is missing": -g / b**2,
            "out_grad is missing": -a / b**2,
            "the gradients of a and b are swapped": g / b,
        },
    )


@hint("d(a/c)/da = 1/c, times out_grad; c is self.scalar.")
@pytest.mark.parametrize("shape", SHAPES)
def test_divide_by_a_scalar(shape):
    a, g = random(*shape), random(*shape, seed=1)
    (found,) = gradients(DivScalar(4), a / 4, g, a)
    mistakes = {
        "out_grad is missing": np.full(shape, 0.25),
        "it is multiplied by c, not divided": g * 4,
        "this is a / c^2": -g * a / 16,
    }
    same(found, g * 0.25, of="the gradient of a in a / 4", given={"a": a, "out_grad": g}, mistakes=mistakes)


@hint("d(a^c)/da = c a^(c-1), times out_grad.")
@pytest.mark.parametrize("scalar", [2, 3, 1, -1, 0.5])
@pytest.mark.parametrize("shape", SHAPES)
def test_power_scalar(shape, scalar):
    a, g = random(*shape, low=0.5), random(*shape, seed=1)
    (found,) = gradients(PowerScalar(scalar), a**scalar, g, a)
    same(
        found,
        numerical(lambda a: a**scalar, g, a)[0],
        of=f"the gradient of a in a ** {scalar}",
        given={"a": a, "out_grad": g},
        mistakes={
            "the factor c is missing": g * a ** (scalar - 1),
            "the exponent did not become c - 1": g * scalar * a**scalar,
            "out_grad is missing": scalar * a ** (scalar - 1),
            "this is the derivative by the exponent": g * a**scalar * np.log(a),
        },
    )


@hint("For c = 0 the gradient is 0, also where a is 0 and a^(c-1) would be a division by zero.")
@pytest.mark.parametrize("a", [[2.0], [0.0], [[1.0, 0.0], [-3.0, 0.0]]])
def test_power_zero(a):
    a = np.array(a)
    g = np.ones(a.shape)
    with np.errstate(all="ignore"):
        (found,) = gradients(PowerScalar(0), a**0, g, a)
    mistakes = {"NaN comes from 0 * (1 / 0)": np.where(a == 0, np.nan, 0)}
    same(found, np.zeros(a.shape), of="the gradient of a in a ** 0", given={"a": a, "out_grad": g}, mistakes=mistakes)


@hint("Write with Tensors: neither .numpy() nor cached_data, and no Tensor(...) around the result.")
@pytest.mark.parametrize("op", [Negate(), DivScalar(2), EWiseDiv(), PowerScalar(3)], ids=str)
def test_gradients_can_be_differentiated(op):
    a, b, g = Tensor([1.0, 2.0]), Tensor([4.0, 5.0]), Tensor([1.0, 1.0])
    inputs = (a, b) if isinstance(op, EWiseDiv) else (a,)
    node = node_of(op, [0.5, 0.5], *inputs)
    for position, found in enumerate(op.gradient_as_tuple(g, node)):
        of = f"whether the gradient of input {position} of {op} is made of out_grad, by operators"
        same(is_graph_of(found, g), True, of=of)
