"""C++: more tiles, one after the other."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw3.tests.checks import buffer, elements, result_of, unset
from hw.hw3.tests.test_matmul import product
from hw.hw3.tests.test_tiles import cut
from hw.testing import hint, same
from needle.backend_ndarray.device import simple_kernels


@hint("Rectangular matrices, and there and back.")
@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (24, 32), (16, 16)])
def test_cutting(shape):
    a = random(*shape, dtype="float32")
    tiles = result_of("to_tiles", a.size, a, after=shape)
    same(tiles, cut(a), of=f"to_tiles of shape {shape}")
    same(result_of("from_tiles", a.size, cut(a), after=shape), a.ravel(), of=f"from_tiles of shape {shape}")


@hint("Three extents that differ: which of them is which?")
@pytest.mark.parametrize("extents", [(32, 8, 24), (8, 40, 16), (40, 16, 8), (16, 32, 40)])
def test_product_of_tiles(extents):
    m, n, p = extents
    a, b = random(m, n, dtype="float32"), random(n, p, dtype="float32", seed=1)
    found = result_of("matmul_tiled", m * p, cut(a), cut(b), after=extents)
    same(found, cut(a @ b), of=f"matmul_tiled, extents {extents}, tile by tile", atol=1e-3)


@hint("Nothing is left of the product before.")
@pytest.mark.parametrize("n", [8, 16])
def test_twice(n):
    a, b = random(n, n, dtype="float32"), random(n, n, dtype="float32", seed=1)
    first, second, out = buffer(cut(a)), buffer(cut(b)), unset(n * n)
    for _ in range(2):
        simple_kernels().matmul_tiled(first, second, out, n, n, n)
    same(elements(out), cut(a @ b), of="out, after the second product", atol=1e-3)
    same([elements(first), elements(second)], [cut(a), cut(b)], of="a and b, afterwards")


@hint("Multiples of 8, and others.")
@pytest.mark.parametrize("extents", [(64, 8, 8), (24, 24, 24), (16, 16, 15), (1, 64, 1), (8, 8, 1)])
def test_matmul(extents):
    m, n, p = extents
    a, b = random(m, n, dtype="float32"), random(n, p, dtype="float32", seed=1)
    same(product("matmul", a, b), a @ b, of=f"matmul of ({m}, {n}) and ({n}, {p})", atol=1e-3)


@hint("A NaN in a tile of a is in its rows, and nowhere else.")
@pytest.mark.parametrize("place", [(0, 0), (9, 14)])
def test_nan(place):
    a, b = random(16, 16, dtype="float32"), random(16, 8, dtype="float32", seed=1)
    a[place] = np.nan
    same(product("matmul", a, b), a @ b, of=f"the product, with NaN at {place} of a", atol=1e-3)
