"""permute: the axes in another order, without a copy."""

from __future__ import annotations

import pytest

from hw.hw3.tests.checks import array, copies, counted, shares, window
from hw.testing import hint, raises, same


def inverse(axes):
    return tuple(axes.index(i) for i in range(len(axes)))


@hint("Axis i of the result is axis axes[i] of the array: its extent, and its stride.")
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((2, 3), (1, 0)),
        ((2, 3), (0, 1)),
        ((2, 3, 4), (2, 0, 1)),
        ((2, 3, 4), (1, 2, 0)),
        ((2, 2, 2), (2, 0, 1)),
        ((3,), (0,)),
    ],
)
def test_values(shape, axes):
    a = counted(*shape)
    mistakes = {
        "axis i becomes axis axes[i]": a.transpose(inverse(axes)),
        "the shape is permuted, and the strides are not": a.reshape([shape[i] for i in axes]),
        "all axes are reversed": a.transpose(),
    }
    of = f"permute({axes}) of an array of shape {shape}"
    given = {"a": a} if a.size <= 8 else {}
    expected = a.transpose(axes)
    mistakes = {what: x for what, x in mistakes.items() if x.shape != expected.shape or (x != expected).any()}
    same(array(a).permute(axes), expected, of=of, given=given, mistakes=mistakes)


@hint("A new view of the same buffer; the array itself stays what it is.")
@pytest.mark.parametrize("axes", [(1, 0, 2), (2, 1, 0)])
def test_no_copy(axes):
    a = array(counted(2, 3, 4))
    found, made = copies(lambda: a.permute(axes))
    same([made, shares(found, a)], [0, True], of="how many copies were made, and whether the buffer is the same")
    same(list(found.strides), [(12, 4, 1)[i] for i in axes], of=f"the strides of permute({axes})")
    same([list(a.shape), list(a.strides)], [[2, 3, 4], [12, 4, 1]], of="shape and strides of the array, afterwards")


@hint("The strides that the array has are permuted, not those of a compact array; and the offset stays.")
@pytest.mark.parametrize(
    ("shape", "strides", "offset"), [((3, 2), (1, 3), 0), ((2, 2), (6, 2), 1), ((2, 3), (0, 1), 3)]
)
def test_of_a_view(shape, strides, offset):
    a = window(array(counted(2, 6)), shape, strides, offset)
    of = f"permute((1, 0)) of a view with shape {shape}, strides {strides}, offset {offset}"
    same(a.permute((1, 0)), a.numpy().T, of=of, given={"the view": a.numpy()})


@hint("Axes that are no permutation are refused: check_permutation does that.")
@pytest.mark.parametrize("axes", [(0,), (0, 0), (0, 2), (0, 1, 2)])
def test_what_is_no_permutation(axes):
    with raises(ValueError, of=f"permute({axes}) of an array of shape (2, 3)"):
        array(counted(2, 3)).permute(axes)
