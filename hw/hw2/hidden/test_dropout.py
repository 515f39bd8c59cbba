"""Dropout, with care."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import constant, drawing
from hw.testing import hint, same
from needle import nn


@hint("float32 stays float32.")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(dtype):
    x = random(2, 3, dtype=dtype)
    kept = drawing(1).rand(2, 3) <= 0.7
    same(nn.Dropout(0.3)(constant(x)), (x * kept / 0.7).astype(dtype), of="the output", dtype=dtype)


@hint("With p = 0 all is kept.")
def test_nothing_dropped():
    x = random(3, 3)
    same(nn.Dropout(0.0)(constant(x)), x, of="Dropout(0)(x)")


@hint("The expectation stays what it was: the mean of many ones is 1.")
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_expectation(p):
    np.random.seed(0)
    found = nn.Dropout(p)(constant(np.ones((200, 500)))).numpy()
    same([found.mean(), 1 + (found == 0).mean() - p], [1.0, 1.0], of="the mean, and the part of zeros", rtol=0.03)


@hint(
    "The input stays what it is; the mask requires no gradient and is none of the module's attributes that are learned."
)
def test_input_is_unchanged():
    x = random(2, 3)
    before = x.copy()
    np.random.seed(0)
    module = nn.Dropout(0.5)
    module(constant(x))
    same(x, before, of="x, afterwards")
    same(any(isinstance(value, nn.Parameter) for value in vars(module).values()), False, of="whether it has parameters")
    module.training = False
    same(module(constant(x)), before, of="the output in evaluation, after training")
