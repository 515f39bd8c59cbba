"""Matrix products in C++."""

# ruff: noqa: N803, N806

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw0 import simple_ml_cpp
from hw.hw0.tests.checks import framed
from hw.testing import hint, same

SHAPES = [(1, 1, 1), (1, 2, 1), (2, 1, 1), (1, 1, 2), (2, 2, 2), (2, 3, 4), (4, 3, 2), (7, 5, 6)]


def compare(name, A, B, expected, plausible):
    """Call a kernel on matrices with NaN around them; the product is written between sevens."""
    a, b = framed(A, np.nan)[0], framed(B, np.nan)[0]
    C, whole = framed(np.full(expected.shape, np.nan), 7.0)
    getattr(simple_ml_cpp, name)(a, b, C)
    plausible = {**plausible, "sums begin with what C held before (here NaN)": np.full(expected.shape, np.nan)}
    same(C, expected, of="C", given={"A": A, "B": B}, mistakes=plausible)
    same(whole[:4], np.full_like(whole[:4], 7.0), of="what is in memory before C, afterwards")
    same(whole[-4:], np.full_like(whole[-4:], 7.0), of="what is in memory behind C, afterwards")
    same(a, A, of="A, afterwards")
    same(b, B, of="B, afterwards")


@hint(
    "C[i, j] = sum over p of A[i, p] B[p, j]. Rows of A have n elements, rows of B and C have k.\n"
    "(NaN stands around A and B, and in C before the call.)"
)
@pytest.mark.parametrize(("m", "n", "k"), SHAPES)
def test_matmul(m, n, k):
    A, B = random(m, n), random(n, k, seed=1)
    plausible = {"the last column of A is left out": A[:, :-1] @ B[:-1]}
    if n == k > 1:
        plausible["B is transposed"] = A @ B.T
    compare("matmul", A, B, A @ B, plausible)


@hint("C[p, j] = sum over i of A[i, p] B[i, j]. A has m rows of n elements, B m rows of k, C n rows of k.")
@pytest.mark.parametrize(("m", "n", "k"), SHAPES)
def test_matmul_transposed(m, n, k):
    A, B = random(m, n), random(m, k, seed=1)
    plausible = {"the last row of A is left out": A[:-1].T @ B[:-1]}
    if m == n > 1:
        plausible["A is not transposed"] = A @ B
    compare("matmul_transposed", A, B, A.T @ B, plausible)


@hint("What C holds before does not matter: begin each sum with 0.")
@pytest.mark.parametrize("name", ["matmul", "matmul_transposed"])
def test_twice_into_the_same_buffer(name):
    A, B = random(3, 3), random(3, 3, seed=1)
    C = np.zeros((3, 3), dtype=np.float32)
    expected = A @ B if name == "matmul" else A.T @ B
    for _ in range(2):
        getattr(simple_ml_cpp, name)(A.astype("float32"), B.astype("float32"), C)
    same(C, expected, of="C, after two calls", mistakes={"each call adds to C": 2 * expected})
