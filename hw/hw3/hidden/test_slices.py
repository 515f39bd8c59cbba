"""Slices and flips: all slices of a short axis, views of views, and no elements."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hw.hw3.tests.checks import array, counted, places
from hw.hw3.tests.test_slices import check
from hw.testing import hint, raises, same
from needle.backend_ndarray.indexing import flip_strides, index_view


@hint("Whatever start, stop and step are: slice.indices(extent) makes numbers of them.")
@pytest.mark.parametrize("step", [None, 1, 2, 3, -1, -2, -7])
def test_every_slice(step):
    found, expected = [], []
    for start, stop in itertools.product([None, -6, -5, -2, 0, 1, 4, 5, 9], repeat=2):
        lie = places((5,), (3,), 2)[start:stop:step]
        shape, strides, offset = index_view((5,), (3,), 2, slice(start, stop, step))
        found.append([list(shape), places(tuple(shape), tuple(strides), offset)])
        expected.append([list(lie.shape), lie])
    same(found, expected, of=f"the places of a[start:stop:{step}] for 81 pairs of start and stop")


@hint("Strides of all kinds: negative, 0, larger than needed.")
@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((3, 4), (-4, -1), 11), ((4, 3), (1, 4), 0), ((3, 3), (0, 0), 4), ((2, 4), (7, 0), 1)],
)
def test_of_views(shape, strides, offset):
    for index in (
        (slice(None, None, -1), slice(1, None)),
        (1, slice(None, None, 2)),
        (..., -1),
        (None, slice(0, 1), 2),
    ):
        check(shape, strides, offset, index, of=f"a[{index}], shape {shape}, strides {strides}, offset {offset}")


@hint("np.int64 is an int as well; True is one, too, as everywhere in Python.")
@pytest.mark.parametrize("index", [np.int64(2), np.int32(-1), (np.int64(0), np.int64(1))], ids=str)
def test_integers_of_numpy(index):
    plain = tuple(int(i) for i in index) if isinstance(index, tuple) else int(index)
    of = f"shape, strides and offset of a[{index}]"
    found, expected = (index_view((3, 4), (4, 1), 0, i) for i in (index, plain))
    same([list(found[0]), found[2]], [list(expected[0]), expected[2]], of=of)
    at = plain if isinstance(plain, tuple) else (plain, 0)
    same(found[2], places((3, 4), (4, 1))[at], of="the offset", varies=False)


@hint("Without elements the offset stays what it is, so that it does not leave the buffer.")
@pytest.mark.parametrize(
    ("shape", "strides", "axes"), [((0,), (1,), (0,)), ((2, 0), (1, 1), (0,)), ((3, 0, 2), (2, 2, 1), (0, 2))]
)
def test_flips_of_nothing(shape, strides, axes):
    _, offset = flip_strides(shape, strides, 3, axes)
    same(offset, 3, of=f"the offset after flip_strides({shape}, {strides}, 3, {axes})")


@hint("Of a view: its own strides.")
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize(("strides", "offset"), [((1, 2, 6), 0), ((-12, 4, 0), 12)])
def test_flips_of_views(strides, offset, axes):
    shape = (2, 3, 2)
    found, first = flip_strides(shape, strides, offset, axes)
    expected = np.flip(places(shape, strides, offset), axes)
    same(
        places(shape, tuple(found), first),
        expected,
        of=f"the places after flip_strides({shape}, {strides}, ..., {axes})",
    )


@hint("A view of a view of a view.")
@pytest.mark.parametrize("size", [6, 7])
def test_again_and_again(size):
    a = counted(size, size)
    found = array(a)[1:, ::-1][::2, 1:][..., None][:, ::2, 0]
    same(found, a[1:, ::-1][::2, 1:][..., None][:, ::2, 0:1], of="a[1:, ::-1][::2, 1:][..., None][:, ::2, 0]")


@hint("Too many, too far, and what is no index.")
@pytest.mark.parametrize("index", [(0, 0, 0, None), (slice(None), 4), (3, slice(0, 0)), "a", (None, None, -4)], ids=str)
def test_outside(index):
    with raises(IndexError, of=f"index_view((3, 4), (4, 1), 0, {index})"):
        index_view((3, 4), (4, 1), 0, index)
