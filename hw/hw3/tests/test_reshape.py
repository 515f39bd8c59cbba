"""reshape: the extent -1, views, copies, errors."""

from __future__ import annotations

import pytest

from hw.hw3.tests.checks import array, copies, counted, layout, shares, window
from hw.testing import hint, raises, same
from needle.backend_ndarray.layout import complete_shape


@hint("-1 stands for the one extent that keeps the number of elements.")
@pytest.mark.parametrize(
    ("shape", "old", "expected"),
    [
        ((6,), (2, 3), [6]),
        ((-1,), (2, 3), [6]),
        ((3, -1), (2, 3), [3, 2]),
        ((-1, 2, 2), (4, 3), [3, 2, 2]),
        ((6, -1), (2, 3), [6, 1]),
        ((2, 3), (2, 3), [2, 3]),
    ],
)
def test_complete_shape(shape, old, expected):
    found = complete_shape(shape, old)
    same(list(found), expected, of=f"complete_shape({shape}, {old})", mistakes={"-1 stays": list(shape)})
    same(type(found).__name__, "tuple", of="the type of the shape")


@hint("The number of elements must stay what it is.")
@pytest.mark.parametrize(
    ("shape", "old"), [((5,), (2, 3)), ((4, -1), (2, 3)), ((-1, -1), (2, 3)), ((7, 1), (2, 3)), ((-2, -3), (2, 3))]
)
def test_shapes_that_do_not_fit(shape, old):
    with raises(ValueError, of=f"complete_shape({shape}, {old})"):
        complete_shape(shape, old)


@hint("The elements in row-major order are the same, before and after.")
@pytest.mark.parametrize(
    ("old", "new"), [((6,), (2, 3)), ((2, 3), (6,)), ((2, 3), (3, 2)), ((4, 3), (2, 2, 3)), ((2, 3), (-1,))]
)
def test_values(old, new):
    a = counted(*old)
    of = f"reshape({new}) of an array of shape {old}"
    mistakes = {"elements are taken column by column": a.reshape(new, order="F")} if len(old) > 1 else {}
    same(array(a).reshape(new), a.reshape(new), of=of, given={"a": a}, mistakes=mistakes)


@hint("A row-major array needs no copy: the result is another view of the same buffer, with the offset it had.")
@pytest.mark.parametrize(("shape", "offset", "new"), [((2, 3), 0, (3, 2)), ((2, 2), 2, (4,)), ((4,), 1, (2, 2))])
def test_a_view_where_elements_are_in_order(shape, offset, new):
    base = array(counted(6))
    a = window(base, shape, (shape[1], 1) if len(shape) == 2 else (1,), offset)
    found, made = copies(lambda: a.reshape(new))
    same(found, counted(6)[offset : offset + a.size].reshape(new), of=f"reshape({new}) of {shape} at offset {offset}")
    same([made, shares(found, base)], [0, True], of="how many copies were made, and whether the buffer is the same")
    same(found.offset, offset, of="the offset", mistakes={"it is 0, whatever it was": 0})


@hint("Where the elements are not in order, strides cannot put them in order: copy first, and only then.")
@pytest.mark.parametrize(
    ("shape", "strides", "new"), [((3, 2), (1, 3), (6,)), ((3,), (2,), (3, 1)), ((2, 2), (0, 1), (4,))]
)
def test_a_copy_where_they_are_not(shape, strides, new):
    base = array(counted(2, 3))
    a = window(base, shape, strides, 0)
    before = layout(a)
    expected = a.numpy().reshape(new)
    found, made = copies(lambda: a.reshape(new))
    mistakes = {"the buffer is read in the order in which it lies": counted(6)[: a.size].reshape(new)}
    of = f"reshape({new}) of shape {shape}, strides {strides}"
    same(found, expected, of=of, given={"buffer": counted(6)}, mistakes=mistakes)
    same([made, shares(found, base)], [1, False], of="how many copies were made, and whether the buffer is the same")
    same([layout(a), a.numpy().reshape(new)], [before, expected], of="what was reshaped, afterwards")


@hint("A view: what is written to it is seen in the array.")
@pytest.mark.parametrize("new", [(6,), (3, 2)])
def test_writing_to_the_result(new):
    a = array(counted(2, 3))
    a.reshape(new).fill(5)
    same(a, counted(2, 3) * 0 + 5, of=f"a, after a.reshape({new}).fill(5)")


@hint("Shapes come as a tuple, as a list, or as numbers, reshape(2, 3), and reshape(-1) is one axis.")
@pytest.mark.parametrize("arguments", [((3, 2),), ([3, 2],), (3, 2), (-1,)])
def test_ways_to_call_it(arguments):
    expected = counted(2, 3).reshape(*arguments)
    same(array(counted(2, 3)).reshape(*arguments), expected, of=f"reshape{arguments}")
