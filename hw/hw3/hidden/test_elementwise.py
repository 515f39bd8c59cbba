"""C++: elementwise kernels of more elements, and of numbers that are none."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw3.tests.checks import buffer, elements, result_of
from hw.hw3.tests.test_elementwise import BINARY, SCALAR, UNARY
from hw.testing import hint, same
from needle.backend_ndarray.device import simple_kernels

F = np.float32
ODD = F([0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 1e-38, 3e38, 0.1])


@hint("Division by 0 is inf or NaN, comparisons with NaN do not hold, and large numbers overflow to inf.")
@pytest.mark.parametrize("name", BINARY)
def test_numbers_that_are_none(name):
    a, b = (x.ravel() for x in np.meshgrid(ODD, ODD))
    with np.errstate(all="ignore"):
        expected = BINARY[name](a, b)
    same(result_of(f"ewise_{name}", a.size, a, b), expected, of=f"ewise_{name}", rtol=1e-5, atol=0)


@hint("The same with a number.")
@pytest.mark.parametrize("val", [0.0, -1.0, float("inf"), float("nan")])
@pytest.mark.parametrize("name", BINARY)
def test_a_number_that_is_none(name, val):
    with np.errstate(all="ignore"):
        expected = BINARY[name](ODD, F(val))
    same(result_of(f"scalar_{name}", ODD.size, ODD, val), expected, of=f"scalar_{name} with {val}", rtol=1e-5, atol=0)


@hint("Negative numbers have whole powers, and no others; the logarithm of 0 is -inf, of negative numbers NaN.")
@pytest.mark.parametrize("name", [*UNARY, 2.0, 3.0, 0.5])
def test_functions(name):
    a = F([-2, -0.5, 0, 1e-3, 5, 20, 100, np.inf, np.nan])
    with np.errstate(all="ignore"):
        expected = UNARY[name](a) if name in UNARY else a ** F(name)
    found = result_of(f"ewise_{name}", a.size, a) if name in UNARY else result_of("scalar_power", a.size, a, name)
    same(found, expected, of=f"{name} of {a}", atol=1e-12)


@hint("All elements, however many.")
@pytest.mark.parametrize("size", [17, 64, 1001])
def test_many(size):
    a, b = random(size, dtype="float32", low=0.1), random(size, dtype="float32", seed=1, low=0.1)
    for name, f in BINARY.items():
        same(result_of(f"ewise_{name}", size, a, b), f(a, b), of=f"ewise_{name}, {size} elements")
    for name, f in SCALAR.items():
        same(result_of(f"scalar_{name}", size, a, 1.5), f(a, F(1.5)), of=f"scalar_{name}, {size} elements")
    for name, f in UNARY.items():
        same(result_of(f"ewise_{name}", size, a), f(a), of=f"ewise_{name}, {size} elements")
    same(result_of("fill", size, after=(-1.0,)), np.full(size, -1.0), of=f"fill, {size} elements")


@hint("out may be one of the operands: element i is read before it is written.")
@pytest.mark.parametrize("name", BINARY)
def test_in_place(name):
    a, b = random(8, dtype="float32", low=0.1), random(8, dtype="float32", seed=1, low=0.1)
    out = buffer(a)
    getattr(simple_kernels(), f"ewise_{name}")(out, buffer(b), out)
    same(elements(out), BINARY[name](a, b), of=f"a, after ewise_{name}(a, b, a)")
