"""C++: compact, ewise_setitem and scalar_setitem."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw3.tests.checks import UNSET, buffer, counted, elements, places, result_of
from hw.testing import hint, same
from needle.backend_ndarray.device import simple_kernels

#: Views, as (elements of the buffer, shape, strides, offset).
ONE_AXIS = [(3, (3,), (1,), 0), (5, (3,), (2,), 0), (6, (3,), (1,), 2), (4, (4,), (-1,), 3)]
TWO_AXES = [
    (6, (2, 3), (3, 1), 0),
    (6, (3, 2), (1, 3), 0),
    (8, (2, 2), (4, 1), 1),
    (12, (2, 3), (6, 2), 1),
    (6, (2, 3), (-3, -1), 5),
]
MORE_AXES = [
    (24, (2, 3, 4), (12, 4, 1), 0),
    (24, (4, 3, 2), (1, 4, 12), 0),
    (24, (3, 2, 4), (4, 12, 1), 0),
    (24, (2, 1, 3), (12, 99, 4), 2),
    (16, (2, 2, 2, 2), (4, 1, 8, 2), 0),
]
REPEATED = [(3, (2, 3), (0, 1), 0), (3, (3, 2), (1, 0), 0), (1, (2, 2, 2), (0, 0, 0), 0)]


def check_compact(size, shape, strides, offset):
    """Compare compact with the definition of a view."""
    a = random(size, dtype="float32", seed=1) if size > 12 else counted(size)
    lie = places(shape, strides, offset)
    found = result_of("compact", lie.size, a, after=(shape, strides, offset))
    mistakes = {
        "the offset is missing": a[(lie - offset).ravel() % size],
        "the buffer is read in the order in which it lies": a[: lie.size] if lie.size <= size else None,
        "the first index goes on first, not the last": a[lie.ravel(order="F")],
    }
    expected = a[lie].ravel()
    mistakes = {
        what: x for what, x in mistakes.items() if x is not None and (x.size != lie.size or (x != expected).any())
    }
    given = {"buffer": a, "shape": str(shape), "strides": str(strides), "offset": offset}
    same(found, expected, of="out, after compact(a, out, shape, strides, offset)", given=given, mistakes=mistakes)


def check_setitem(size, shape, strides, offset):
    """Compare ewise_setitem and scalar_setitem with the definition of a view."""
    before = -counted(size) - 1
    lie = places(shape, strides, offset)
    a = random(*shape, dtype="float32", seed=2)
    expected = before.copy()
    expected[lie] = a
    of, given = "all of out, after {}", {"out": before, "shape": str(shape), "strides": str(strides), "offset": offset}
    out = buffer(before)
    simple_kernels().ewise_setitem(buffer(a), out, shape, strides, offset)
    same(elements(out), expected, of=of.format("ewise_setitem"), given={"a": a, **given})
    out = buffer(before)
    simple_kernels().scalar_setitem(math.prod(shape), 7.5, out, shape, strides, offset)
    expected[lie] = 7.5
    mistakes = {"the first elements are written to": np.where(np.arange(size) < lie.size, np.float32(7.5), before)}
    same(elements(out), expected, of=of.format("scalar_setitem"), given=given, mistakes=mistakes)


@hint("The elements at offset, offset + stride, offset + 2 * stride, ...")
@pytest.mark.parametrize(("size", "shape", "strides", "offset"), ONE_AXIS)
def test_compact_one_axis(size, shape, strides, offset):
    check_compact(size, shape, strides, offset)


@hint("Row by row: (0, 0), (0, 1), ..., (1, 0), (1, 1), ... At the end of a row, the column begins with 0 again.")
@pytest.mark.parametrize(("size", "shape", "strides", "offset"), TWO_AXES)
def test_compact_two_axes(size, shape, strides, offset):
    check_compact(size, shape, strides, offset)


@hint(
    "Any number of axes: the last index goes on first; one that is at its end goes back to 0, and the next one goes on."
)
@pytest.mark.parametrize(("size", "shape", "strides", "offset"), MORE_AXES)
def test_compact_more_axes(size, shape, strides, offset):
    check_compact(size, shape, strides, offset)


@hint("A stride of 0 needs nothing special.")
@pytest.mark.parametrize(("size", "shape", "strides", "offset"), REPEATED)
def test_compact_repeats(size, shape, strides, offset):
    check_compact(size, shape, strides, offset)


@hint("The same walk; now it is out that is a view. What the view does not reach stays what it was.")
@pytest.mark.parametrize(("size", "shape", "strides", "offset"), ONE_AXIS)
def test_setitem_one_axis(size, shape, strides, offset):
    check_setitem(size, shape, strides, offset)


@hint("The same walk; now it is out that is a view.")
@pytest.mark.parametrize(("size", "shape", "strides", "offset"), TWO_AXES + MORE_AXES)
def test_setitem_more_axes(size, shape, strides, offset):
    check_setitem(size, shape, strides, offset)


@hint("a is read, and not written to.")
@pytest.mark.parametrize("kernel", ["compact", "ewise_setitem"])
def test_the_input_stays(kernel):
    a, out = buffer(counted(6)), buffer(np.full(6, UNSET))
    getattr(simple_kernels(), kernel)(a, out, (3, 2), (1, 3), 0)
    same(elements(a), counted(6), of=f"a, after {kernel}")
