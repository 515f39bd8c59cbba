"""Forward, with care: other shapes, dtypes, special values, inputs that stay what they are."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.derivatives import random
from hw.hw1.tests.checks import values
from hw.testing import hint, same
from needle.ops import DivScalar, EWiseDiv, Exp, Log, Negate, PowerScalar, ReLU

OPS = [
    (Negate(), lambda a: 0 - a),
    (DivScalar(0.3), lambda a: a / np.asarray(0.3, a.dtype)),
    (PowerScalar(3), lambda a: a * a * a),
    (PowerScalar(-2), lambda a: 1 / (a * a)),
    (Log(), np.log),
    (Exp(), np.exp),
    (ReLU(), lambda a: np.where(a > 0, a, 0).astype(a.dtype)),
]


@hint("Also arrays without axes, and without elements.")
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 1, 3), (5, 4, 3, 2)])
@pytest.mark.parametrize(("op", "reference"), OPS, ids=str)
def test_any_shape(op, reference, shape):
    a = random(*shape, low=0.5)
    same(op.compute(a), reference(a), of=f"{op}.compute(a)", given={"a": a}, rtol=1e-12)


@hint("An input must not be written to.")
@pytest.mark.parametrize(("op", "reference"), OPS, ids=str)
def test_inputs_stay_what_they_are(op, reference):
    a = np.abs(random(3, 2)) + 0.5
    a[0] = [-1.5, 0.0] if isinstance(op, (ReLU, Negate, Exp)) else [0.5, 0.25]
    before = a.copy()
    op.compute(a)
    same(a, before, of=f"the input, after {op}.compute(a)", given={"a": before})


@hint("float32 stays float32, whatever kind of number the scalar is.")
@pytest.mark.parametrize(("op", "reference"), OPS, ids=str)
def test_dtypes_are_kept(op, reference):
    a = random(2, 3, low=0.5, dtype="float32")
    same(op.compute(a), reference(a), of=f"{op}.compute(a)", given={"a": a}, dtype="float32")


@hint("Nothing is special about large numbers, and division by zero is Inf, as in NumPy.")
def test_special_values():
    big = np.array([1000.0, -1000.0, 0.0, 1e300, -1e300])
    with np.errstate(all="ignore"):
        same(ReLU().compute(big), np.array([1000.0, 0.0, 0.0, 1e300, 0.0]), of="ReLU().compute(a)", given={"a": big})
        same(EWiseDiv().compute(np.ones(2), np.array([0.0, -2.0])), np.array([np.inf, -0.5]), of="[1, 1] / [0, -2]")
        same(PowerScalar(2).compute(np.array([-3.0])), np.array([9.0]), of="(-3) ** 2")
        same(PowerScalar(0).compute(np.array([0.0])), np.array([1.0]), of="0 ** 0")


@hint("The named functions and the operators of Tensor come to your compute.")
@pytest.mark.parametrize("shape", [(2,), (3, 1, 2)])
def test_through_tensors(shape):
    a, b = random(*shape, low=0.5), random(*shape, seed=2, low=0.5)
    x, y = ndl.Tensor(a), ndl.Tensor(b)
    for of, found, expected in [
        ("a / b", x / y, a / b),
        ("a / 3", x / 3, a / 3),
        ("a ** 3", x**3, a * a * a),
        ("a - b", x - y, a - b),
        ("exp(log(a))", ndl.exp(ndl.log(x)), a),
        ("relu(-a)", ndl.relu(-x), np.zeros(shape)),
    ]:
        same(values(found), expected, of=of, given={"a": a, "b": b}, rtol=1e-12)
