"""What may be fused: more views, more kernels, and groups with several results."""

from __future__ import annotations

from collections import Counter

import pytest

from hw.hw6.tests.programs import listing, program, view
from hw.hw6.tests.test_steps import steps_of
from hw.testing import hint, same
from needle.compiled.fusion import STEPS, Group, is_step, repeats
from needle.compiled.program import Instruction, Operand


@hint("From the end: compact as long as it goes, and then nothing but stride 0.")
@pytest.mark.parametrize(
    ("shape", "strides", "offset", "expected"),
    [
        ((), (), 0, True),
        ((1,), (7,), 3, True),
        ((4,), (0,), 5, True),
        ((4,), (2,), 0, False),
        ((2, 3), (3, 1), 11, True),
        ((1, 3), (9, 1), 0, True),
        ((3, 1), (1, 5), 0, True),
        ((2, 2, 2), (0, 2, 1), 0, True),
        ((2, 2, 2), (4, 0, 1), 0, False),
        ((2, 2, 2), (2, 0, 1), 0, False),
        ((2, 2, 2), (1, 0, 0), 0, False),
        ((3, 2, 4), (8, 4, 1), 0, True),
        ((3, 2, 4), (4, 12, 1), 0, False),
        ((3, 2, 4), (0, 8, 1), 0, False),
        ((2, 3), (-3, 1), 3, False),
        ((3, 300), (300, 1), 0, True),
        ((2, 3, 300), (0, 300, 1), 0, True),
    ],
)
def test_repeats(shape, strides, offset, expected):
    given = {"shape": shape, "strides": strides, "offset": offset}
    same(repeats(Operand(0, shape, strides, offset)), expected, of="repeats", given=given)


@hint("Comparisons are steps, and so are rsub and rdiv; powers, where, and what is fused already are not.")
@pytest.mark.parametrize(
    ("kernel", "expected"),
    [("gt", True), ("maximum", True), ("sigmoid", True), ("rsub", True), ("power", False), ("rpower", False)],
)
def test_kernels(kernel, expected):
    call = f"ewise_{kernel}(%0)" if kernel == "sigmoid" else f"scalar_{kernel}(%0, 2.0)"
    found, made = steps_of(f"%0[4] input\n%1[4] = {call}\nreturn %1")
    same(found, [expected], of="is_step", given={"program": listing(made)})
    same([f"ewise_{kernel}" in STEPS or f"scalar_{kernel}" in STEPS], [expected], of="whether it is among STEPS")


@hint("The output is compact; an input may be broadcast along its first axes, and has the shape of the output.")
def test_views():
    found, made = steps_of("""
        %0[4] input
        %1[4; 2] = ewise_exp(%0)
        %2[4; 1; 2] = ewise_exp(%0)
        %3[2, 4] = ewise_add(%0[2, 4; 0, 1], %0[2, 4; 0, 1])
        %4[2, 2] = ewise_sub(%0[2, 2; 2, 1], %0[2, 2; 0, 1; 2])
        %5[2, 2] = ewise_sub(%0[2, 2; 2, 1], %0[2, 2; 1, 2])
        return %1, %2, %3, %4, %5
    """)
    same(found, [False, False, True, True, False], of="is_step", given={"program": listing(made)})


@hint("Two elements are enough, one is not; float64 is as good as float32, as long as all are.")
def test_sizes_and_dtypes():
    found, made = steps_of("""
        %0[2] input
        %1 float64[2] input
        %2[0] input
        %3 bool[2] input
        %4[2] = ewise_neg(%0)
        %5 float64[2] = scalar_add(%1, 1.0)
        %6[0] = ewise_neg(%2)
        %7[1] = ewise_neg(%0[1])
        %8[1, 1] = ewise_exp(%0[1, 1])
        %9 bool[2] = ewise_add(%3, %3)
        %10[2] = ewise_eq(%3, %3)
        return %4, %5, %6, %7, %8, %9, %10
    """)
    expected = [True, True, False, False, False, False, False]
    same(found, expected, of="is_step", given={"program": listing(made)})


@hint("`writers` tells who else writes: also the second output of another kernel, and a part of the buffer.")
def test_writers():
    made = program("""
        %0[4, 4] input
        %1[4] = ewise_exp(%0[4; 1])
        %2[4], %1[4] = moments(%0)
        %3[4] = ewise_exp(%0[4; 1])
        return %1, %2, %3
    """)
    writers = Counter(x.buffer for i in made.instructions for x in i.outputs)
    found = [is_step(made, i, writers) for i in made.instructions]
    same(found, [False, False, True], of="is_step", given={"program": listing(made)})
    found = [is_step(made, i, Counter({1: 1, 2: 1, 3: 2})) for i in made.instructions]
    same(found, [True, False, False], of="is_step, with other counts of writers", given={"program": listing(made)})


@hint("In place on a buffer of one's own: the old values would be needed, and the result goes by the same name.")
def test_in_place():
    made = program("%0[4] input\n%1[4] = fill(1.0)\n%1[4] = ewise_exp(%1)\nreturn %1")
    found = is_step(made, made.instructions[1], Counter({1: 1}))
    same(found, False, of="is_step of an instruction in place", given={"program": listing(made)})


@hint("An output that is returned may be a step's; an input of the program that is written may not.")
def test_roles():
    found, made = steps_of("""
        %0[4] captured
        %1[4] input
        %2[4] = ewise_exp(%1)
        %0[4] = ewise_neg(%2)
        return %2
    """)
    same(found, [True, False], of="is_step", given={"program": listing(made)})


def of(kernel, *operands):
    return Instruction(kernel, operands)


V = [view(number, (4,)) for number in range(9)]
GROUP = Group((4,), "float32", [3], {0}, {1: V[1]}, 2)


@hint("Only what both name matters: two reads of one buffer need no order.")
@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        (of("ewise_add", V[0], V[5], V[6]), False),
        (of("moments", V[5], V[6], V[0]), True),
        (of("moments", V[5], V[6], V[1]), True),
        (of("scatter_add", V[5], V[6], 0, V[1]), True),
        (of("matmul", V[5], V[1], V[7]), True),
        (of("fill", V[0], 1.0), True),
        (of("fill", V[1], 1.0), True),
        (of("fill", V[2], 1.0), False),
    ],
)
def test_stands_before(instruction, expected):
    given = {"the group reads": [0], "the group writes": [1], "the instruction": str(instruction)}
    same(GROUP.stands_before(instruction), expected, of="stands_before", given=given)


@hint("A result that is read from elsewhere, or in another shape, is not the result as it was written.")
@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        (of("ewise_add", V[1], V[1], V[6]), True),
        (of("ewise_add", V[0], V[1], V[6]), True),
        (of("ewise_add", V[0], V[2], V[6]), False),
        (of("ewise_neg", view(1, (4,), (1,), 1), V[6]), False),
        (of("ewise_neg", view(1, (2, 2)), V[6]), False),
        (of("ewise_add", V[1], view(1, (4,), (0,)), V[6]), False),
        (of("fill", V[1], 1.0), False),
        (of("scalar_mul", V[1], 2.0, V[6]), True),
    ],
)
def test_feeds(instruction, expected):
    given = {"the group writes": ["%1[4]"], "the instruction": str(instruction)}
    same(GROUP.feeds(instruction), expected, of="feeds", given=given)
