"""Slices and flips: arithmetic on shape, strides and offset."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hw.hw3.tests.checks import array, copies, counted, places, shares
from hw.testing import hint, raises, same
from needle.backend_ndarray.indexing import flip_strides, index_view


def kept(index):
    """An index for NumPy, in which an int keeps its axis: i becomes the slice i:i+1."""

    def part(each):
        return slice(each, each + 1 or None) if isinstance(each, int) else each

    return tuple(part(each) for each in index) if isinstance(index, tuple) else part(index)


def check(shape, strides, offset, index, of):
    """Compare what index_view gives with what NumPy's indexing does to the places of the elements."""
    lie = places(shape, strides, offset)
    expected = lie[kept(index)]
    new_shape, new_strides, first = index_view(shape, strides, offset, index)
    same(list(new_shape), list(expected.shape), of=f"the shape of {of}")
    of = f"the places in the buffer of the elements of {of}"
    same(places(tuple(new_shape), tuple(new_strides), first), expected, of=of, given={"places of a": lie})


@hint("A slice start:stop:step: start * stride more offset, step * stride, and as many elements as range(...) has.")
@pytest.mark.parametrize(
    "index",
    [
        slice(1, 3),
        slice(0, None, 2),
        slice(1, None, 2),
        slice(None, -1),
        slice(-2, None),
        slice(None),
        slice(2, 100),
        slice(0, 5, 3),
    ],
    ids=str,
)
def test_one_axis(index):
    check((5,), (1,), 0, index, of=f"a[{index}], a of shape (5,)")


@hint("A negative step goes backwards: the stride is negative, and the offset is where it begins.")
@pytest.mark.parametrize(
    "index", [slice(None, None, -1), slice(3, 0, -1), slice(None, None, -2), slice(-1, -4, -2)], ids=str
)
def test_negative_steps(index):
    check((5,), (1,), 0, index, of=f"a[{index}], a of shape (5,)")


@hint("Each axis by itself; what is not indexed at the end stays whole. An int i is the slice i:i+1.")
@pytest.mark.parametrize(
    "index",
    [
        (slice(1, 3), slice(0, 2)),
        slice(1, 2),
        (1, 2),
        2,
        (-1, slice(None, None, 2)),
        (slice(None), 0),
        (slice(None, None, 2), -4),
    ],
    ids=str,
)
def test_two_axes(index):
    check((3, 4), (4, 1), 0, index, of=f"a[{index}], a of shape (3, 4)")


@hint("The strides are those that the array has, and its offset counts.")
@pytest.mark.parametrize(("strides", "offset"), [((1, 3), 0), ((8, 2), 1), ((-4, 1), 8), ((0, 1), 5)])
def test_of_a_view(strides, offset):
    index = (slice(1, None), slice(None, None, 2))
    check((3, 4), strides, offset, index, of=f"a[1:, ::2], a of shape (3, 4), strides {strides}, offset {offset}")


@hint("None is a new axis, of extent 1; ... stands for as many : as are missing.")
@pytest.mark.parametrize(
    "index", [None, (None, 1), (slice(1, 2), None), (..., 1), (0, ..., slice(1, 3)), ..., (None, ..., None, 0)], ids=str
)
def test_new_axes_and_ellipsis(index):
    check((2, 3, 4), (12, 4, 1), 0, index, of=f"a[{index}], a of shape (2, 3, 4)")


@hint("Nothing is left: an extent of 0, and the offset that it was.")
@pytest.mark.parametrize(
    "index", [slice(3, 1), slice(9, None), (slice(None), slice(2, 2)), (2, slice(4, None))], ids=str
)
def test_nothing_left(index):
    shape, _, offset = index_view((3, 4), (4, 1), 2, index)
    expected = np.empty((3, 4))[kept(index)].shape
    same([list(shape), offset], [list(expected), 2], of=f"shape and offset of a[{index}], shape (3, 4), offset 2")


@hint("_position and _expand_ellipsis raise what is to be raised: let them.")
@pytest.mark.parametrize("index", [3, -4, (0, 4), (0, 0, 0), (..., ...), 1.5], ids=str)
def test_outside(index):
    with raises(IndexError, of=f"index_view((3, 4), (4, 1), 0, {index})"):
        index_view((3, 4), (4, 1), 0, index)


@hint("A flipped axis begins at its last element, and has its stride with the other sign.")
@pytest.mark.parametrize(
    ("shape", "axes"), [((4,), (0,)), ((2, 3), (1,)), ((2, 3), (0,)), ((2, 3), (0, 1)), ((2, 3), ())]
)
def test_flip_strides(shape, axes):
    strides, offset = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape))), 1
    found, first = flip_strides(shape, strides, offset, axes)
    expected = np.flip(places(shape, strides, offset), axes)
    of = f"the places in the buffer after flip_strides({shape}, {strides}, {offset}, {axes})"
    same(places(shape, tuple(found), first), expected, of=of)


@hint("a[...] and flip are views: nothing is copied.")
@pytest.mark.parametrize("size", [4, 5])
def test_on_arrays(size):
    a = counted(size, size)
    base = array(a)
    found, made = copies(lambda: [base[1:3, ::-2], base.flip((0,)), base[1]])
    same(found, [a[1:3, ::-2], a[::-1], a[1:2]], of="[a[1:3, ::-2], a.flip((0,)), a[1]]")
    same([made, *(shares(x, base) for x in found)], [0, True, True, True], of="how many copies were made, whose buffer")
    base[1:3, ::2] = -1
    a[1:3, ::2] = -1
    same(base, a, of="a, after a[1:3, ::2] = -1")
