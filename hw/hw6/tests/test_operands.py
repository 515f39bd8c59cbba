"""Operand: size, span, is_compact."""

from __future__ import annotations

import numpy as np
import pytest

from hw.hw6.tests.programs import array_of, view
from hw.testing import hint, same
from needle.compiled.program import Operand


@hint("The product of the extents; an operand without axes is one element.")
@pytest.mark.parametrize("shape", [(4,), (2, 3), (1, 5), (2, 3, 4), ()])
def test_size(shape):
    mistakes = {"the extents are added": sum(shape), "only the first extent counts": shape[0] if shape else None}
    expected = np.zeros(shape).size
    same(view(0, shape).size, expected, of=f"size of an operand of shape {shape}", mistakes=mistakes)


@hint(
    "From the offset, each axis reaches (n - 1) * stride positions: the smallest and the largest position that it has."
)
@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((5,), (1,), 0), ((2, 3), (3, 1), 0), ((3, 2), (1, 3), 0), ((2, 3), (10, 2), 4), ((4, 3), (0, 1), 6), ((), (), 7)],
)
def test_span(shape, strides, offset):
    operand = Operand(0, shape, strides, offset)
    positions = array_of(operand, {0: np.arange(40)})
    expected = [positions.min(), positions.max()]
    mistakes = {
        "the last position is counted one too far": [expected[0], expected[1] + 1],
        "the offset is missing": [expected[0] - offset, expected[1] - offset],
        "n is taken for n - 1": [offset, offset + sum(n * stride for n, stride in zip(shape, strides))],
    }
    given = {"shape": shape, "strides": strides, "offset": offset}
    same(list(operand.span), expected, of="span of an operand", given=given, mistakes=mistakes)


@hint("Compact is row-major without gaps, from position 0. Axes of extent 1 may have any stride.")
@pytest.mark.parametrize(
    ("shape", "strides", "offset", "expected"),
    [
        ((4,), (1,), 0, True),
        ((2, 3), (3, 1), 0, True),
        ((3, 2), (1, 3), 0, False),
        ((4,), (2,), 0, False),
        ((2, 3), (4, 1), 0, False),
        ((2, 3), (0, 1), 0, False),
        ((2, 3), (3, 1), 6, False),
        ((2, 3, 4), (12, 4, 1), 0, True),
        ((2, 1, 4), (4, 77, 1), 0, True),
    ],
)
def test_compact(shape, strides, offset, expected):
    given = {"shape": shape, "strides": strides, "offset": offset}
    same(Operand(3, shape, strides, offset).is_compact, expected, of="is_compact", given=given)
