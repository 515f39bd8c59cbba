"""broadcast_to: extents of 0 and 1, more axes, views."""

from __future__ import annotations

import numpy as np
import pytest

from hw.hw3.tests.checks import array, copies, counted, window
from hw.testing import hint, raises, same
from needle.backend_ndarray.layout import broadcast_strides


@hint("An extent of 1 may become 0; an axis of extent 1 that stays 1 keeps its stride.")
@pytest.mark.parametrize(
    ("shape", "strides", "new", "expected"),
    [
        ((1, 3), (5, 1), (0, 3), [0, 1]),
        ((0, 1), (1, 1), (0, 3), [1, 0]),
        ((1, 3), (5, 1), (1, 3), [5, 1]),
        ((2, 1, 1), (4, 3, 2), (2, 1, 6), [4, 3, 0]),
        ((1, 2), (2, -1), (3, 1, 2), [0, 2, -1]),
        ((3, 3), (0, 1), (2, 3, 3), [0, 0, 1]),
    ],
)
def test_strides(shape, strides, new, expected):
    same(list(broadcast_strides(shape, strides, new)), expected, of=f"broadcast_strides({shape}, {strides}, {new})")


@hint("0 is neither 3 nor 1; and an array cannot lose an axis, even of extent 1.")
@pytest.mark.parametrize(
    ("shape", "new"), [((0,), (3,)), ((3,), (0,)), ((1, 1), (1,)), ((1,), ()), ((2, 3, 4), (2, 1, 4))]
)
def test_what_does_not_broadcast(shape, new):
    with raises(ValueError, of=f"broadcast_to({new}) of an array of shape {shape}"):
        array(counted(*shape)).broadcast_to(new)


@hint("Of a view: its own strides, and its offset.")
@pytest.mark.parametrize(
    ("shape", "strides", "offset", "new"),
    [
        ((3, 1, 2), (1, 12, 6), 0, (2, 3, 4, 2)),
        ((2, 1), (-6, 1), 7, (2, 5)),
        ((1, 3), (0, 4), 2, (3, 3)),
        ((4,), (0,), 3, (2, 4)),
    ],
)
def test_of_views(shape, strides, offset, new):
    a = window(array(counted(12)), shape, strides, offset)
    found, made = copies(lambda: a.broadcast_to(list(new)))
    same(
        found, np.broadcast_to(a.numpy(), new), of=f"broadcast_to({new}) of {shape}, strides {strides}, offset {offset}"
    )
    same(made, 0, of="how many copies were made")


@hint("Twice, and of a transposed array.")
@pytest.mark.parametrize("new", [(2, 3, 4), (5, 2, 3, 4)])
def test_twice(new):
    a = counted(3, 1)
    found = array(a).broadcast_to((2, 3, 1)).broadcast_to(new)
    same(found, np.broadcast_to(a, new), of=f"broadcast_to((2, 3, 1)).broadcast_to({new}) of shape (3, 1)")
