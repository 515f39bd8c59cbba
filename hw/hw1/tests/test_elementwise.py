"""Forward: operators that work on each element."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.testing import hint, same
from needle.ops import DivScalar, EWiseDiv, Exp, Log, Negate, PowerScalar, ReLU

SHAPES = [(1,), (3,), (2, 3)]


@hint("compute gets an array and gives one: return -a.")
@pytest.mark.parametrize("shape", SHAPES)
def test_negate(shape):
    a = random(*shape)
    same(Negate().compute(a), 0 - a, of="Negate().compute(a)", given={"a": a}, mistakes={"a itself came back": a})


@hint("The first input over the second.")
@pytest.mark.parametrize("shape", SHAPES)
def test_divide(shape):
    a, b = random(*shape), random(*shape, seed=1, low=2.0, high=4.0)
    mistakes = {
        "numerator and denominator are swapped": b / a,
        "this is a product": a * b,
        "the division is // and not /": a // b,
    }
    same(EWiseDiv().compute(a, b), a / b, of="EWiseDiv().compute(a, b)", given={"a": a, "b": b}, mistakes=mistakes)


@hint("The number is self.scalar; the result has the shape of a.")
@pytest.mark.parametrize("shape", SHAPES)
def test_divide_by_a_scalar(shape):
    a = random(*shape, low=0.5)
    mistakes = {"the scalar is divided by a": 4 / a, "this is a product": a * 4, "the division is // and not /": a // 4}
    same(DivScalar(4).compute(a), a / 4, of="DivScalar(4).compute(a)", given={"a": a}, mistakes=mistakes)


@hint("The exponent is self.scalar.")
@pytest.mark.parametrize("scalar", [2, 3, 1, 0, -1, 0.5])
@pytest.mark.parametrize("shape", SHAPES)
def test_power_scalar(shape, scalar):
    a = random(*shape, low=0.5)
    same(
        PowerScalar(scalar).compute(a),
        np.exp(scalar * np.log(a)),
        of=f"PowerScalar({scalar}).compute(a)",
        given={"a": a},
        mistakes={
            "base and exponent are swapped": float(scalar) ** a if scalar > 0 else None,
            "this is a product": a * scalar,
        },
    )


@hint("The natural logarithm: array_api.log.")
@pytest.mark.parametrize("shape", SHAPES)
def test_log(shape):
    power = random(*shape)
    a = np.e**power
    mistakes = {
        "this is the logarithm to base 2": np.log2(a),
        "this is the logarithm to base 10": np.log10(a),
        "this is log(1 + a)": np.log1p(a),
    }
    same(Log().compute(a), power, of="Log().compute(a)", given={"a": a}, mistakes=mistakes, rtol=1e-9, atol=1e-12)


@hint("array_api.exp.")
@pytest.mark.parametrize("shape", SHAPES)
def test_exp(shape):
    a = random(*shape)
    mistakes = {"this is a power of 2": 2**a, "this is exp(a) - 1": np.expm1(a)}
    same(Exp().compute(a), np.e**a, of="Exp().compute(a)", given={"a": a}, mistakes=mistakes, rtol=1e-9)


@hint("max(a, 0) of every element: array_api.maximum.")
@pytest.mark.parametrize("a", [[2.0, -3.0], [-1.0, 0.0, 0.5], [[1.5, -2.0, 0.0], [-0.5, 3.0, -4.0]]])
def test_relu(a):
    a = np.array(a)
    expected = np.where(a > 0, a, 0.0)
    mistakes = {
        "this is the minimum": np.minimum(a, 0),
        "this is the absolute value": np.abs(a),
        "this is the derivative of relu": (a > 0) * 1.0,
    }
    same(ReLU().compute(a), expected, of="ReLU().compute(a)", given={"a": a}, mistakes=mistakes)
