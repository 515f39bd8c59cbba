"""Strides of compact arrays: compact_strides, is_row_major, is_compact."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hw.hw3.tests.checks import array, counted, window
from hw.testing import hint, same
from needle.backend_ndarray.layout import compact_strides, is_row_major


@hint("The stride of an axis is the number of elements behind one index of it: the product of the extents after it.")
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4), (4, 1, 3), ()])
def test_strides(shape):
    expected = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    mistakes = {
        "the axes are counted from the front": [math.prod(shape[:axis]) for axis in range(len(shape))],
        "the axis's own extent is in its stride": [math.prod(shape[axis:]) for axis in range(len(shape))],
        "the strides are in bytes, not in elements": [4 * stride for stride in expected],
    }
    mistakes = {what: result for what, result in mistakes.items() if result != expected}
    found = compact_strides(shape)
    same(list(found), expected, of=f"compact_strides({shape})", mistakes=mistakes)
    same(type(found).__name__, "tuple", of="the type of the strides, which have to be hashable")


@hint("Its element (i, j, ...) is number offset + i * strides[0] + j * strides[1] + ... of the buffer.")
@pytest.mark.parametrize("shape", [(2, 3), (3, 2, 2)])
def test_where_elements_lie(shape):
    strides = compact_strides(shape)
    found = [sum(i * stride for i, stride in zip(index, strides)) for index in np.ndindex(shape)]
    same(found, list(range(math.prod(shape))), of=f"the places of the elements of an array of shape {shape}, in order")


@hint("Row-major without gaps: the strides are the compact ones, but for axes of extent 1, whose stride nobody uses.")
@pytest.mark.parametrize(
    ("shape", "strides", "expected"),
    [
        ((3,), (1,), True),
        ((3,), (2,), False),
        ((2, 3), (3, 1), True),
        ((2, 3), (1, 2), False),
        ((2, 3), (4, 1), False),
        ((1, 3), (99, 1), True),
        ((3, 1), (1, 0), True),
        ((2, 1, 3), (3, -5, 1), True),
        ((2, 3), (0, 1), False),
        ((3,), (-1,), False),
    ],
)
def test_row_major(shape, strides, expected):
    same(bool(is_row_major(shape, strides)), expected, of=f"is_row_major({shape}, {strides})")


@hint("Compact: row-major, and the buffer holds these elements and no others.")
@pytest.mark.parametrize(
    ("shape", "strides", "offset", "expected"),
    [
        ((2, 3), (3, 1), 0, True),
        ((6,), (1,), 0, True),
        ((3, 2), (1, 3), 0, False),
        ((3,), (1,), 0, False),
        ((3,), (1,), 3, False),
    ],
)
def test_compact(shape, strides, offset, expected):
    view = window(array(counted(2, 3)), shape, strides, offset)
    of = f"is_compact() of a view with shape {shape}, strides {strides}, offset {offset} of a buffer of 6 elements"
    mistakes = {"what else the buffer holds is not asked": True} if len(shape) == 1 and not expected else {}
    same(bool(view.is_compact()), expected, of=of, mistakes=mistakes)
