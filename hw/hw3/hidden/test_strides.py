"""Strides: extents of 0 and 1, many axes."""

from __future__ import annotations

import math

import pytest

from hw.hw3.tests.checks import array, counted, window
from hw.testing import hint, same
from needle.backend_ndarray.layout import compact_strides, is_row_major


@hint("The rule is the same for extents of 0 and 1.")
@pytest.mark.parametrize("shape", [(1,), (0,), (2, 0, 3), (1, 1, 1), (5, 4, 3, 2, 1, 2)])
def test_extents_of_0_and_1(shape):
    expected = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    same(list(compact_strides(shape)), expected, of=f"compact_strides({shape})")


@hint("All axes count, but those of extent 1.")
@pytest.mark.parametrize(
    ("shape", "strides", "expected"),
    [
        ((2, 2, 2), (4, 2, 1), True),
        ((2, 2, 2), (4, 1, 2), False),
        ((2, 2, 2), (2, 4, 1), False),
        ((2, 2, 2), (8, 2, 1), False),
        ((1, 1), (0, 0), True),
        ((), (), True),
        ((2, 1, 1, 2), (2, 7, 7, 1), True),
        ((4, 4), (-4, 1), False),
        ((2, 2), (1, 1), False),
        ((3, 1000), (1000, 1), True),
    ],
)
def test_row_major(shape, strides, expected):
    same(bool(is_row_major(shape, strides)), expected, of=f"is_row_major({shape}, {strides})")


@hint("A part of a buffer is not compact, wherever it begins.")
@pytest.mark.parametrize(("shape", "strides", "expected"), [((4,), (1,), True), ((2,), (1,), False), ((), (), False)])
def test_compact(shape, strides, expected):
    same(bool(window(array(counted(4)), shape, strides, 0).is_compact()), expected, of=f"is_compact() of {shape} of 4")


@hint("Large or small: the numbers are compared, not the objects.")
@pytest.mark.parametrize(("shape", "expected"), [((30, 40), True), ((40, 30), True), ((29, 40), False)])
def test_large_arrays(shape, expected):
    view = window(array(counted(1200)), shape, (shape[1], 1), 0)
    same(bool(view.is_compact()), expected, of=f"is_compact() of shape {shape}, of a buffer of 1200 elements")
