"""C++: the matrix product of the textbook."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw3.tests.checks import buffer, counted, elements, result_of, unset
from hw.testing import hint, same
from needle.backend_ndarray.device import simple_kernels


def product(kernel, a, b):
    (m, n), p = a.shape, b.shape[1]
    return result_of(kernel, m * p, a, b, after=(m, n, p)).reshape(m, p)


def mistakes_of(a, b):
    (m, n), p = a.shape, b.shape[1]
    right = a @ b
    results = {
        "a is transposed": a.reshape(n, m).T @ b,
        "b is transposed": a @ b.reshape(p, n).T,
        "the result is transposed": right.T.reshape(m, p),
        "the sum is added to what was there": right - 77,
        "only the last product is kept": np.outer(a[:, -1], b[-1]),
    }
    return {what: x for what, x in results.items() if not np.allclose(x, right)}


@hint("A sum of n products for each of the m * p elements.")
@pytest.mark.parametrize("extents", [(1, 1, 1), (1, 2, 1), (2, 1, 2), (2, 2, 2), (2, 3, 4), (4, 3, 2), (3, 5, 1)])
def test_values(extents):
    m, n, p = extents
    a, b = random(m, n, dtype="float32"), random(n, p, dtype="float32", seed=1)
    of, given = f"matmul_naive of ({m}, {n}) and ({n}, {p})", {"a": a, "b": b}
    same(product("matmul_naive", a, b), a @ b, of=of, given=given, mistakes=mistakes_of(a, b))


@hint("Times the identity: what was there comes out.")
@pytest.mark.parametrize("n", [2, 3])
def test_identity(n):
    a, one = counted(2, n), np.eye(n, dtype="float32")
    same(product("matmul_naive", a, one), a, of="a times the identity", given={"a": a}, mistakes=mistakes_of(a, one))


@hint("Nothing may be left of what was in out before; and a and b stay.")
@pytest.mark.parametrize("n", [2, 3])
def test_twice(n):
    a, b, out = buffer(counted(n, n)), buffer(counted(n, n) - 3), unset(n * n)
    for _ in range(2):
        simple_kernels().matmul_naive(a, b, out, n, n, n)
    same(elements(out).reshape(n, n), counted(n, n) @ (counted(n, n) - 3), of="out, after the second product")
    same([elements(a), elements(b)], [counted(n * n), counted(n * n) - 3], of="a and b, afterwards")
