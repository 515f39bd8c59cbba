"""Operand, with strides that are negative, and with axes of extent 1."""

from __future__ import annotations

import numpy as np
import pytest

from hw.hw6.tests.programs import array_of, strides_of
from hw.testing import hint, same
from needle.compiled.program import Operand


@hint("Extents multiply; one of 0 makes nothing of all.")
@pytest.mark.parametrize("shape", [(7,), (3, 0), (0,), (5, 1, 1), (2, 2, 2, 2), (1,)])
def test_size(shape):
    same(Operand(1, shape, strides_of(shape), 9).size, np.zeros(shape).size, of=f"size of an operand of shape {shape}")


@hint("A negative stride goes down from the offset, a positive one up; both may be there.")
@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((5,), (-1,), 4),
        ((2, 3), (-3, 1), 3),
        ((2, 3), (3, -1), 2),
        ((2, 3), (-3, -1), 15),
        ((1, 4), (50, 2), 1),
        ((3, 1), (2, -50), 1),
        ((2, 0 + 2, 3), (0, -4, 5), 8),
        ((1,), (3,), 11),
    ],
)
def test_span(shape, strides, offset):
    operand = Operand(0, shape, strides, offset)
    positions = array_of(operand, {0: np.arange(60)})
    given = {"shape": shape, "strides": strides, "offset": offset}
    same(list(operand.span), [positions.min(), positions.max()], of="span", given=given)


@hint("Only the axes of more than one element count, and the offset must be 0.")
@pytest.mark.parametrize(
    ("shape", "strides", "offset", "expected"),
    [
        ((), (), 0, True),
        ((), (), 1, False),
        ((1, 1), (5, -3), 0, True),
        ((1, 3), (99, 1), 0, True),
        ((3, 1), (1, 99), 0, True),
        ((3, 1), (2, 1), 0, False),
        ((3,), (-1,), 2, False),
        ((2, 3, 4), (12, 1, 3), 0, False),
        ((2, 3, 4), (24, 4, 1), 0, False),
        ((2, 2), (1, 1), 0, False),
        ((2, 2, 2), (4, 0, 1), 0, False),
    ],
)
def test_compact(shape, strides, offset, expected):
    given = {"shape": shape, "strides": strides, "offset": offset}
    same(Operand(0, shape, strides, offset).is_compact, expected, of="is_compact", given=given)
