"""Matrix products in C++, with care."""

# ruff: noqa: N806

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw0 import simple_ml_cpp
from hw.hw0.tests.test_matmul_cpp import compare
from hw.testing import hint, same


@hint("Long and thin, short and wide.")
@pytest.mark.parametrize(("m", "n", "k"), [(1, 9, 1), (9, 1, 1), (1, 1, 9), (30, 2, 3), (2, 30, 3), (3, 2, 30)])
def test_other_shapes(m, n, k):
    A, B, D = random(m, n), random(n, k, seed=1), random(m, k, seed=2)
    compare("matmul", A, B, A @ B, {})
    compare("matmul_transposed", A, D, A.T @ D, {})


@hint("Sums are sums of floats, and no term is left out.")
@pytest.mark.parametrize("name", ["matmul", "matmul_transposed"])
def test_larger(name):
    A, B = random(60, 50), random(50 if name == "matmul" else 60, 40, seed=1)
    compare(name, A, B, A @ B if name == "matmul" else A.T @ B, {})


@hint("Where there are no rows, nothing is done; where there is nothing to add up, sums are 0.")
@pytest.mark.parametrize("shapes", [((0, 3), (3, 2)), ((2, 0), (0, 3))])
def test_empty(shapes):
    A, B = (np.zeros(shape, dtype="float32") for shape in shapes)
    C = np.full((A.shape[0], B.shape[1]), 7, dtype="float32")
    simple_ml_cpp.matmul(A, B, C)
    same(C, np.zeros(C.shape), of="A B")
    C = np.full((B.shape[1], A.shape[0]), 7, dtype="float32")
    simple_ml_cpp.matmul_transposed(B, np.ascontiguousarray(A.T), C)
    same(C, np.zeros(C.shape), of="A^T B")
