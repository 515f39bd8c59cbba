"""C++: more shapes, and NaN."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw3.tests.test_matmul import product
from hw.testing import hint, same


@hint("Shapes of all kinds.")
@pytest.mark.parametrize("extents", [(5, 7, 3), (1, 20, 1), (20, 1, 20), (16, 16, 16), (33, 9, 17)])
def test_values(extents):
    m, n, p = extents
    a, b = random(m, n, dtype="float32"), random(n, p, dtype="float32", seed=1)
    same(product("matmul_naive", a, b), a @ b, of=f"matmul_naive of ({m}, {n}) and ({n}, {p})", atol=1e-3)


@hint("A NaN in row i of a is in row i of the product, and nowhere else.")
@pytest.mark.parametrize("row", [0, 2])
def test_nan(row):
    a, b = random(3, 4, dtype="float32"), random(4, 2, dtype="float32", seed=1)
    a[row, 1] = np.nan
    same(product("matmul_naive", a, b), a @ b, of=f"the product, with NaN in row {row} of a")


@hint("Fractions count: the sum is a float.")
@pytest.mark.parametrize("n", [3, 8])
def test_fractions(n):
    a, b = np.full((2, n), 0.25, "float32"), np.full((n, 2), 0.5, "float32")
    same(product("matmul_naive", a, b), a @ b, of=f"{n} times 0.25 * 0.5", rtol=1e-6)


@hint("0 times NaN is NaN, and 0 times inf as well: every product counts.")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_zero_times_nan(value):
    a, b = np.zeros((2, 3), "float32"), random(3, 2, dtype="float32")
    b[1, 0] = value
    same(product("matmul_naive", a, b), [[np.nan, 0], [np.nan, 0]], of=f"0 times a matrix that holds {value}")
