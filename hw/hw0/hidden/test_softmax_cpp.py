"""Softmax in C++, with care."""

# ruff: noqa: N806

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw0 import simple_ml_cpp
from hw.hw0.tests.test_softmax_cpp import compare
from hw.testing import hint, same


@hint("One column: softmax is 1. Many columns, many rows.")
@pytest.mark.parametrize(("m", "k"), [(5, 1), (1, 50), (30, 3)])
def test_other_shapes(m, k):
    compare(random(m, k, seed=6, low=-9, high=9))


@hint("The largest element may stand anywhere in its row.")
@pytest.mark.parametrize("column", [0, 1, 2])
def test_where_the_largest_is(column):
    Z = np.full((2, 3), -200.0)
    Z[:, column] = 150
    compare(Z)


@hint("Rows of very different sizes: each has a maximum of its own, and it may be negative.")
def test_rows_of_very_different_sizes():
    compare(np.array([[500, 501], [0, 0.5], [-500, -501], [-1e5, -1e5]]))


@hint("No rows: nothing to do.")
def test_no_rows():
    Z = np.zeros((0, 3), dtype="float32")
    simple_ml_cpp.softmax_rows(Z)
    same(Z, np.zeros((0, 3)), of="Z")
