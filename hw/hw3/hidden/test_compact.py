"""C++: views of many axes, with extents of 1, and there and back."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw3.tests.checks import buffer, elements, result_of
from hw.hw3.tests.test_compact import check_compact, check_setitem
from hw.testing import hint, same
from needle.backend_ndarray.device import simple_kernels

VIEWS = [
    (1, (1,), (1,), 0),
    (9, (1, 1), (5, 3), 8),
    (30, (5, 3, 2), (1, 5, 15), 0),
    (30, (5, 3, 2), (6, -2, 1), 4),
    (64, (2, 2, 2, 2, 2, 2), (1, 2, 4, 8, 16, 32), 0),
    (60, (3, 1, 4, 1, 5), (5, 0, 15, 77, 1), 0),
    (60, (2, 3, 2, 2), (-30, 10, 5, -2), 33),
    (12, (2, 3), (7, -2), 4),
]


@hint("Any number of axes, any strides; an axis of extent 1 has only the index 0.")
@pytest.mark.parametrize(
    ("size", "shape", "strides", "offset"), [*VIEWS, (6, (3, 2, 4), (2, 0, 0), 1), (4, (2, 3, 4), (0, 0, 1), 0)]
)
def test_compact(size, shape, strides, offset):
    check_compact(size, shape, strides, offset)


@hint("The same for writing.")
@pytest.mark.parametrize(("size", "shape", "strides", "offset"), VIEWS)
def test_setitem(size, shape, strides, offset):
    check_setitem(size, shape, strides, offset)


@hint("compact takes out what ewise_setitem has put in.")
@pytest.mark.parametrize(("shape", "strides", "offset"), [((7, 9), (1, 7), 0), ((3, 5, 4), (1, 12, 3), 2)])
def test_there_and_back(shape, strides, offset):
    a = random(*shape, dtype="float32")
    out = buffer(np.zeros(a.size + offset))
    simple_kernels().ewise_setitem(buffer(a), out, shape, strides, offset)
    same(result_of("compact", a.size, elements(out), after=(shape, strides, offset)), a.ravel(), of="what comes back")


@hint("Any float may be written, and NaN and infinities stay what they are.")
@pytest.mark.parametrize("value", [0.0, -1.5, float("nan"), float("inf"), 1e-30])
def test_values(value):
    out = buffer(np.zeros(4))
    simple_kernels().scalar_setitem(2, value, out, (2,), (2,), 1)
    same(elements(out), np.float32([0, value, 0, value]), of=f"out, after scalar_setitem of {value}", atol=0)
    a = np.float32([value, 1, value])
    same(result_of("compact", 3, a, after=((3,), (-1,), 2)), a[::-1], of="compact, backwards", atol=0)
