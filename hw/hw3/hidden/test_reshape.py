"""reshape: no elements, no axes, axes of extent 1, and other dtypes."""

from __future__ import annotations

import numpy as np
import pytest

from hw.hw3.tests.checks import array, copies, counted, shares, window
from hw.testing import hint, raises, same
from needle.backend_ndarray.layout import complete_shape


@hint("Without elements, and without axes, the rule is the same.")
@pytest.mark.parametrize(
    ("shape", "old", "expected"),
    [
        ((0,), (2, 0), [0]),
        ((3, 0), (0,), [3, 0]),
        ((-1, 2), (0, 5), [0, 2]),
        ((), (1, 1), []),
        ((1, -1), (), [1, 1]),
        ((2, -1, 2), (2, 2, 3), [2, 3, 2]),
        ((30, 40), (1200,), [30, 40]),
    ],
)
def test_complete_shape(shape, old, expected):
    same(list(complete_shape(shape, old)), expected, of=f"complete_shape({shape}, {old})")


@hint("-1 beside an extent of 0 could be anything; an extent below -1 is none.")
@pytest.mark.parametrize(
    ("shape", "old"),
    [((0, -1), (0, 2)), ((-1, 0), (6,)), ((2, -3), (6,)), ((-2, 3), (6,)), ((), (2,)), ((-3, -1), (3,))],
)
def test_shapes_that_do_not_fit(shape, old):
    with raises(ValueError, of=f"complete_shape({shape}, {old})"):
        complete_shape(shape, old)


@hint("The stride of an axis of extent 1 does not matter, so there is nothing to be copied.")
@pytest.mark.parametrize(("shape", "strides"), [((1, 6), (17, 1)), ((6, 1), (1, 0)), ((2, 1, 3), (3, 99, 1))])
def test_axes_of_extent_1(shape, strides):
    base = array(counted(6))
    a = window(base, shape, strides, 0)
    found, made = copies(lambda: a.reshape((3, 2)))
    same(found, counted(3, 2), of=f"reshape((3, 2)) of shape {shape}, strides {strides}")
    same([made, shares(found, base)], [0, True], of="how many copies were made, and whether the buffer is the same")


@hint("Values in other layouts: three axes in another order, steps, a broadcast axis.")
@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((3, 2, 2), (1, 6, 3), 0), ((2, 3), (6, 2), 1), ((2, 3), (0, 2), 1), ((3, 2), (-1, -6), 11), ((2, 2), (6, 1), 0)],
)
def test_values(shape, strides, offset):
    base = array(counted(12))
    a = window(base, shape, strides, offset)
    found, made = copies(lambda: a.reshape((-1,)))
    same(found, a.numpy().reshape(-1), of=f"reshape((-1,)) of shape {shape}, strides {strides}, offset {offset}")
    same(made, 1, of="how many copies were made")


@hint("A copy has the dtype of the array.")
@pytest.mark.parametrize("dtype", ["float64", "int32", "bool"])
def test_dtypes(dtype):
    a = window(array(np.arange(6) % 2, dtype), (3, 2), (1, 3), 0)
    found = a.reshape((6,))
    same(found, a.numpy().reshape(6), of=f"reshape of {dtype}")
    same(found.dtype, dtype, of="the dtype")


@hint("The same shape is the same array, whatever its strides are: no copy.")
@pytest.mark.parametrize("new", [(3, 2), (3, -1)])
def test_the_same_shape(new):
    base = array(counted(2, 3))
    a = window(base, (3, 2), (1, 3), 0)
    found, made = copies(lambda: a.reshape(new))
    same(found, a.numpy(), of=f"reshape({new}) of shape (3, 2), strides (1, 3)")
    same([made, shares(found, base)], [0, True], of="how many copies were made, and whether the buffer is the same")
