"""What may be fused: repeats, is_step, and the two questions to a Group."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hw.hw6.tests.programs import array_of, listing, program, view
from hw.testing import hint, same
from needle.compiled.fusion import Group, is_step, repeats
from needle.compiled.program import Instruction, Operand


@hint("Compact axes behind axes of stride 0; an axis of extent 1 may have any stride.")
@pytest.mark.parametrize(
    ("shape", "strides", "expected"),
    [
        ((4,), (1,), True),
        ((2, 3), (3, 1), True),
        ((2, 3), (0, 1), True),
        ((2, 3), (0, 0), True),
        ((2, 3), (1, 0), False),
        ((3, 2), (1, 3), False),
        ((2, 3), (4, 1), False),
        ((5, 2, 3), (0, 3, 1), True),
        ((5, 2, 3), (0, 0, 1), True),
        ((5, 2, 3), (3, 0, 1), False),
        ((2, 1, 3), (3, 9, 1), True),
    ],
)
def test_repeats(shape, strides, expected):
    operand = Operand(0, shape, strides)
    found = array_of(operand, {0: np.arange(40)}).reshape(-1)
    given = {"shape": shape, "strides": strides, "positions": found}
    same(repeats(operand), expected, of="repeats", given=given)


def steps_of(text):
    """For each instruction of a program, whether it may be a step; and the program."""
    made = program(text)
    writers = Counter(x.buffer for i in made.instructions for x in i.outputs)
    return [is_step(made, instruction, writers) for instruction in made.instructions], made


@hint("The kernels of STEPS may be steps: elementwise ones, but no power, no where, no reduction.")
def test_kernels():
    found, made = steps_of("""
        %0[2, 3] input
        %1[2, 3] = ewise_exp(%0)
        %2[2, 3] = ewise_add(%0, %1)
        %3[2, 3] = scalar_mul(%2, 2.0)
        %4[2, 3] = scalar_power(%3, 2.0)
        %5[2, 1] = reduce_sum(%4)
        %6[2, 3] = copy(%4)
        return %5, %6
    """)
    expected = [True, True, True, False, False, False]
    same(found, expected, of="is_step of each instruction", given={"program": listing(made)})


@hint("All views of a step have the shape of its output, and repeat one block of memory; the output is compact.")
def test_views():
    found, made = steps_of("""
        %0[2, 3] input
        %1[3] input
        %2[2] input
        %3[2, 3] = ewise_add(%0, %1[2, 3; 0, 1])
        %4[2, 3] = ewise_add(%0, %2[2, 3; 1, 0])
        %5[3, 2] = ewise_exp(%0[3, 2; 1, 3])
        %6[2] = ewise_exp(%0[2; 1; 4])
        %7[3; 2] = ewise_exp(%1)
        return %3, %4, %5, %6, %7
    """)
    expected = [True, False, False, True, False]
    same(found, expected, of="is_step of each instruction", given={"program": listing(made)})


@hint("float32 or float64 throughout, and two elements at least.")
def test_dtypes_and_sizes():
    found, made = steps_of("""
        %0 float64[3] input
        %1 int64[3] input
        %2[1] input
        %3 float64[3] = ewise_neg(%0)
        %4 int64[3] = ewise_neg(%1)
        %5[1] = ewise_neg(%2)
        %6[3] = ewise_eq(%1, %1)
        return %3, %4, %5, %6
    """)
    same(found, [True, False, False, False], of="is_step of each instruction", given={"program": listing(made)})


@hint("Memory that is written more than once, or belongs to somebody else, or is overwritten in place, is no step's.")
def test_memory_of_others():
    found, made = steps_of("""
        %0[3] input
        %1[3] = ewise_exp(%0)
        %1[3] = ewise_neg(%0)
        %2[3] = ewise_abs(%0)
        %0[3] = ewise_sqrt(%2)
        return %1, %2
    """)
    same(found, [False, False, True, False], of="is_step of each instruction", given={"program": listing(made)})


def group():
    """A group that reads %0 and %1 and writes %2 and %3, all compact of shape (2, 3)."""
    return Group((2, 3), "float32", [0, 1], {0, 1, 2}, {2: view(2, (2, 3)), 3: view(3, (2, 3))}, 5)


V = [view(number, (2, 3)) for number in range(8)]


@hint("Read after write, write after write, write after read: then the group comes first.")
@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        (Instruction("ewise_exp", (V[5], V[6])), False),
        (Instruction("ewise_exp", (V[3], V[6])), True),
        (Instruction("ewise_exp", (V[5], V[2])), True),
        (Instruction("ewise_exp", (V[5], V[1])), True),
        (Instruction("ewise_exp", (V[0], V[6])), False),
    ],
    ids=["nothing in common", "reads a result", "overwrites a result", "overwrites an input", "reads an input, too"],
)
def test_stands_before(instruction, expected):
    given = {"the group reads": [0, 1, 2], "the group writes": [2, 3], "the instruction": str(instruction)}
    same(group().stands_before(instruction), expected, of="stands_before", given=given)


@hint("It reads a result, and each result that it reads as the view that was written: %3 transposed is another one.")
@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        (Instruction("ewise_exp", (V[3], V[6])), True),
        (Instruction("ewise_add", (V[3], V[5], V[6])), True),
        (Instruction("ewise_add", (V[2], V[3], V[6])), True),
        (Instruction("ewise_exp", (V[0], V[6])), False),
        (Instruction("ewise_exp", (view(3, (2, 3), (1, 2)), V[6])), False),
        (Instruction("ewise_add", (V[3], view(2, (2, 3), (0, 1)), V[6])), False),
    ],
)
def test_feeds(instruction, expected):
    given = {"the group writes": ["%2[2, 3]", "%3[2, 3]"], "the instruction": str(instruction)}
    same(group().feeds(instruction), expected, of="feeds", given=given)
