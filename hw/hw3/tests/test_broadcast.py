"""broadcast_to: stride 0."""

from __future__ import annotations

import numpy as np
import pytest

from hw.hw3.tests.checks import array, copies, counted, layout, shares, window
from hw.testing import hint, raises, same
from needle.backend_ndarray.layout import broadcast_strides


@hint("Stride 0: going on by one along this axis, you stay where you are. All other axes keep their strides.")
@pytest.mark.parametrize(
    ("shape", "strides", "new", "expected"),
    [
        ((1,), (1,), (3,), [0]),
        ((2, 1), (1, 1), (2, 3), [1, 0]),
        ((1, 3), (3, 1), (2, 3), [0, 1]),
        ((3,), (1,), (2, 3), [0, 1]),
        ((2, 3), (3, 1), (2, 3), [3, 1]),
        ((2, 1, 3), (1, 7, 2), (4, 2, 5, 3), [0, 1, 0, 2]),
        ((), (), (2, 2), [0, 0]),
    ],
)
def test_strides(shape, strides, new, expected):
    aligned = [0 if i >= len(shape) or (shape[i] == 1 and m != 1) else strides[i] for i, m in enumerate(new)]
    mistakes = {"the shapes are compared from the left": aligned} if aligned != expected else {}
    found = broadcast_strides(shape, strides, new)
    same(list(found), expected, of=f"broadcast_strides({shape}, {strides}, {new})", mistakes=mistakes)
    same(type(found).__name__, "tuple", of="the type of the strides")


@hint("Extents must be equal, or the array's must be 1; and no axis gets lost.")
@pytest.mark.parametrize(
    ("shape", "new"),
    [((3,), (2,)), ((2, 3), (3,)), ((2,), (2, 3)), ((2, 3), (2, 1)), ((2, 3), (4, 3)), ((3, 1), (1, 3))],
)
def test_what_does_not_broadcast(shape, new):
    strides = (1,) * len(shape)
    with raises(ValueError, of=f"broadcast_strides({shape}, {strides}, {new})"):
        broadcast_strides(shape, strides, new)


@hint("NumPy's rule: the shapes are aligned from the right.")
@pytest.mark.parametrize(
    ("shape", "new"),
    [((1,), (3,)), ((3, 1), (3, 2)), ((3,), (2, 3)), ((3, 1), (2, 3, 4)), ((1, 1), (2, 2)), ((), (2,))],
)
def test_values(shape, new):
    a = counted(*shape) + 1
    same(
        array(a).broadcast_to(new), np.broadcast_to(a, new), of=f"broadcast_to({new}) of shape {shape}", given={"a": a}
    )


@hint("Nothing is copied: one element is read again and again. The offset stays.")
@pytest.mark.parametrize(
    ("shape", "strides", "offset", "new"),
    [((3, 1), (2, 1), 0, (3, 4)), ((2,), (2,), 1, (3, 2)), ((1, 2), (0, -1), 5, (2, 2))],
)
def test_no_copy(shape, strides, offset, new):
    base = array(counted(6))
    a = window(base, shape, strides, offset)
    before = layout(a)
    found, made = copies(lambda: a.broadcast_to(new))
    same(found, np.broadcast_to(a.numpy(), new), of=f"broadcast_to({new}) of shape {shape}, strides {strides}")
    same([made, shares(found, base)], [0, True], of="how many copies were made, and whether the buffer is the same")
    same(layout(a), before, of="shape, strides and offset of the array, afterwards")


@hint("a + b broadcasts by broadcast_to.")
@pytest.mark.parametrize(("left", "right"), [((2, 3), (3,)), ((2, 1), (1, 3)), ((2, 3), (2, 1))])
def test_in_a_sum(left, right):
    a, b = counted(*left), 10 * counted(*right)
    same(array(a) + array(b), a + b, of="a + b", given={"a": a, "b": b})
