"""C++: elementwise kernels."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw3.tests.checks import UNSET, behind, buffer, elements, result_of
from hw.testing import hint, same
from needle.backend_ndarray.device import simple_kernels

F = np.float32
BINARY = {
    "add": np.add,
    "mul": np.multiply,
    "div": np.divide,
    "maximum": np.maximum,
    "eq": lambda x, y: F(x == y),
    "ge": lambda x, y: F(x >= y),
}
SCALAR = BINARY | {"power": np.power}
UNARY = {"log": np.log, "exp": np.exp, "tanh": np.tanh}


def pair(size):
    """Two arrays, of which some elements are equal."""
    a, b = random(size, dtype="float32"), random(size, dtype="float32", seed=1)
    b[::3] = a[::3]
    return a, b


def mistakes_of(name, a, b):
    with np.errstate(all="ignore"):
        results = {
            "nothing is computed": np.full(a.size, UNSET, "float32"),
            "the operands are exchanged": SCALAR[name](b, a) if name != "eq" else None,
            "it is > and not >=": F(a > b) if name == "ge" else None,
            "it is the smaller of the two": np.minimum(a, b) if name == "maximum" else None,
            "the result is an integer": np.trunc(SCALAR[name](a, b)) if name != "power" else None,
        }
        right = SCALAR[name](a, b)
    return {what: x for what, x in results.items() if x is not None and not np.allclose(x, right, equal_nan=True)}


@hint("Every element, from the first to the last.")
@pytest.mark.parametrize("size", [1, 2, 5])
def test_fill(size):
    same(result_of("fill", size, after=(2.5,)), np.full(size, 2.5), of=f"out, after fill(out, 2.5), {size} elements")


@hint("out[i] = f(a[i], b[i]).")
@pytest.mark.parametrize("size", [1, 4, 9])
@pytest.mark.parametrize("name", BINARY)
def test_two_arrays(name, size):
    a, b = pair(size)
    found = result_of(f"ewise_{name}", size, a, b)
    given, mistakes = {"a": a, "b": b}, mistakes_of(name, a, b)
    same(found, BINARY[name](a, b), of=f"out, after ewise_{name}(a, b, out)", given=given, mistakes=mistakes)


@hint("out[i] = f(a[i], val).")
@pytest.mark.parametrize("val", [2.0, 0.5, -1.5])
@pytest.mark.parametrize("name", [name for name in SCALAR if name != "power"])
def test_an_array_and_a_number(name, val):
    a = F([-2, val, 0.25, 3, -1.5])
    found = result_of(f"scalar_{name}", 5, a, val)
    given, mistakes = {"a": a, "val": val}, mistakes_of(name, a, F(val))
    same(found, SCALAR[name](a, F(val)), of=f"out, after scalar_{name}(a, val, out)", given=given, mistakes=mistakes)


@hint("a[i] to the power val, which need not be a whole number: std::pow.")
@pytest.mark.parametrize("val", [2.0, 3.0, 0.5, -1.0, 0.0])
def test_power(val):
    a = F([0.25, 1, 2, 3.5])
    mistakes = {"it is val to the power a[i]": F(abs(val)) ** a, "it is a[i] * val": a * F(val)} if val > 1 else {}
    found = result_of("scalar_power", 4, a, val)
    same(found, a ** F(val), of="out, after scalar_power(a, val, out)", given={"a": a, "val": val}, mistakes=mistakes)


@hint("The natural logarithm, e to the power a[i], and the hyperbolic tangent: <cmath> has them.")
@pytest.mark.parametrize("name", UNARY)
def test_functions(name):
    a = F([0.25, 1, 2, 3.5, 0.01])
    mistakes = {"it is the logarithm to the base 10": np.log10(a)} if name == "log" else {}
    same(
        result_of(f"ewise_{name}", 5, a), UNARY[name](a), of=f"ewise_{name}(a, out)", given={"a": a}, mistakes=mistakes
    )


@hint("What is larger than NaN? The kernels give NaN wherever one of the two is NaN.")
@pytest.mark.parametrize("kernel", ["ewise_maximum", "scalar_maximum"])
def test_maximum_keeps_nan(kernel):
    a, b = F([np.nan, 1, np.nan, 2]), F([1, np.nan, np.nan, 3])
    if kernel == "ewise_maximum":
        same(result_of(kernel, 4, a, b), [np.nan, np.nan, np.nan, 3], of=f"{kernel}(a, b, out)", given={"a": a, "b": b})
    else:
        same(result_of(kernel, 4, a, 1.5), [np.nan, 1.5, np.nan, 2], of=f"{kernel}(a, 1.5, out)", given={"a": a})


@hint("a and b are read, and not written to.")
@pytest.mark.parametrize("name", BINARY)
def test_inputs_stay(name):
    a, b = pair(4)
    first, second = buffer(a), buffer(b)
    getattr(simple_kernels(), f"ewise_{name}")(first, second, buffer(np.zeros(4)))
    getattr(simple_kernels(), f"scalar_{name}")(first, 2.0, buffer(np.zeros(4)))
    same([elements(first), elements(second)], [a, b], of=f"a and b, after ewise_{name} and scalar_{name}")


@hint("The last element is out[out.size - 1]: the loop ends before out.size.")
@pytest.mark.parametrize(
    ("kernel", "operands", "after"),
    [
        ("fill", (), (2.5,)),
        ("ewise_add", (F([1, 2, 3]), F([4, 5, 6])), ()),
        ("scalar_add", (F([1, 2, 3]), 2.0), ()),
        ("ewise_exp", (F([1, 2, 3]),), ()),
    ],
    ids=["fill", "ewise_add", "scalar_add", "ewise_exp"],
)
def test_nothing_is_written_behind_the_buffer(kernel, operands, after):
    same(behind(kernel, *operands, after=after), UNSET, of=f"the memory behind out, which was {UNSET}, after {kernel}")
