"""Softmax in C++."""

# ruff: noqa: N803, N806

from __future__ import annotations

import math

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw0 import simple_ml_cpp
from hw.hw0.tests.checks import framed
from hw.testing import hint, same


def probabilities(row):
    """The softmax of a list, number by number."""
    return [1 / math.fsum(math.exp(other - z) for other in row) for z in row]


def compare(Z):
    expected = np.array([probabilities(row) for row in Z.tolist()])
    found, whole = framed(Z, 7.0)
    simple_ml_cpp.softmax_rows(found)
    mistakes = {"Z is what it was before": Z}
    if np.abs(Z).max() < 50:
        mistakes["the powers are not divided by their sum"] = np.exp(Z)
    same(found, expected, of="Z, afterwards", given={"Z": Z}, mistakes=mistakes)
    same(whole[:4], np.full_like(whole[:4], 7.0), of="what is in memory before Z, afterwards")
    same(whole[-4:], np.full_like(whole[-4:], 7.0), of="what is in memory behind Z, afterwards")


@hint("exp of each element, divided by the sum of the exps of its row.")
@pytest.mark.parametrize("k", [1, 2, 5])
def test_one_row(k):
    compare(random(1, k))


@hint("Row i begins at Z[i * k]; each row has a largest element and a sum of its own.")
@pytest.mark.parametrize(("m", "k"), [(2, 2), (3, 2), (2, 5), (4, 10)])
def test_several_rows(m, k):
    compare(random(m, k))


@hint("Subtract the row's largest element before exp: in float32, exp(89) is infinite, and exp(-104) is 0.")
@pytest.mark.parametrize("size", [90.0, -110.0, 1000.0, -1000.0])
def test_large_numbers(size):
    Z = np.array([[size, size, size], [size, size - 1, size - 2], [0, 1, 2]], dtype=np.float32)
    compare(Z)
