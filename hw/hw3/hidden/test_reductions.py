"""C++: reductions of many elements, and of infinities."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw3.tests.checks import result_of
from hw.testing import hint, same

F = np.float32


@hint("However many.")
@pytest.mark.parametrize("shape", [(7, 33), (1, 1000), (100, 1), (13, 8)])
def test_many(shape):
    a = random(*shape, dtype="float32", seed=5)
    same(result_of("reduce_sum", shape[0], a, after=(shape[1],)), a.sum(1), of=f"reduce_sum of {shape}", atol=1e-3)
    same(result_of("reduce_max", shape[0], a, after=(shape[1],)), a.max(1), of=f"reduce_max of {shape}")


@hint("-inf may be the largest: of nothing but -inf.")
@pytest.mark.parametrize("row", [[-np.inf, -np.inf], [-np.inf, -3e38], [np.inf, 1], [-1e30, -2e30]])
def test_large_numbers(row):
    a = F([row, row[::-1]])
    same(result_of("reduce_max", 2, a, after=(2,)), a.max(1), of=f"reduce_max of {row}, and backwards", atol=0)


@hint("A sum of whole numbers is exact, and a fraction is not cut off.")
@pytest.mark.parametrize("value", [0.5, -0.25, 3.0])
def test_fractions(value):
    a = np.full((3, 5), value, "float32")
    same(result_of("reduce_sum", 3, a, after=(5,)), a.sum(1), of=f"five times {value}", rtol=1e-6)
