"""permute: negative axes, no axes, twice, and transpose."""

from __future__ import annotations

import itertools

import pytest

from hw.hw3.tests.checks import array, copies, counted
from hw.testing import hint, same


@hint("Negative axes count from the end; a list is as good as a tuple.")
@pytest.mark.parametrize(
    ("shape", "axes"), [((2, 3), (-1, 0)), ((2, 3, 4), (-1, 0, -2)), ((2, 3, 4), [1, 0, 2]), ((), ())]
)
def test_axes(shape, axes):
    a = counted(*shape)
    same(array(a).permute(axes), a.transpose(axes), of=f"permute({axes}) of shape {shape}")


@hint("Every order of four axes, of which two are equal in extent.")
@pytest.mark.parametrize("axes", [*itertools.permutations(range(4))][1::4])
def test_four_axes(axes):
    a = counted(2, 3, 2, 1)
    same(array(a).permute(axes), a.transpose(axes), of=f"permute({axes}) of shape (2, 3, 2, 1)")


@hint("Twice: the second time, the strides are those of a view.")
@pytest.mark.parametrize(("first", "second"), [((1, 2, 0), (1, 2, 0)), ((2, 1, 0), (0, 2, 1)), ((1, 0, 2), (1, 0, 2))])
def test_twice(first, second):
    a = counted(2, 3, 4)
    found, made = copies(lambda: array(a).permute(first).permute(second))
    same(found, a.transpose(first).transpose(second), of=f"permute({first}).permute({second})")
    same(made, 0, of="how many copies were made")


@hint("transpose() and T are made of permute.")
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (3,), (0, 2)])
def test_transpose(shape):
    a = counted(*shape)
    same([array(a).T, array(a).transpose()], [a.T, a.T], of=f"T and transpose() of shape {shape}")
