"""plan_memory, and which kernels may overwrite what they read."""

from __future__ import annotations

import pytest

from hw.hw6.tests.checks import check_at_most, checked, conflicts
from hw.hw6.tests.programs import listing, program, view
from hw.testing import hint, same
from needle.compiled.passes import may_overwrite, plan_memory
from needle.compiled.program import Instruction


def check_plan(text, most):
    """A program whose memory is planned: no conflicts, the same results, at most so many bytes of memory."""
    before, after = program(text), plan_memory(program(text))
    given = {"program": listing(before), "places": {f"%{i}": place for i, place in after.places.items()}}
    same(conflicts(after), [], of="buffers that are needed at the same time and share a place", given=given)
    after = checked(plan_memory, text)
    temporary = {i for i, buffer in after.buffers.items() if buffer.role == "temporary"}
    same(sorted(after.places), sorted(temporary), of="the buffers that have a place", given=given)
    check_at_most(after.memory, most, of="the bytes of memory", **given, **{"without planning": before.memory})
    return after


@hint("Elementwise kernels read an element before they write it; others may still need what they overwrite.")
@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        (Instruction("ewise_exp", (view(0, (2, 3)), view(1, (2, 3)))), True),
        (Instruction("scalar_mul", (view(0, (2, 3)), 2.0, view(1, (2, 3)))), True),
        (Instruction("matmul", (view(0, (3, 3)), view(2, (3, 3)), view(1, (3, 3)))), False),
        (Instruction("reduce_sum", (view(0, (2, 3)), view(1, (2, 1)))), False),
        (Instruction("copy", (view(0, (2, 3)), view(1, (2, 3)))), False),
        (Instruction("ewise_exp", (view(0, (3, 2), (1, 3)), view(1, (3, 2)))), False),
        (Instruction("ewise_add", (view(0, (2, 3)), view(0, (2, 3), (0, 1)), view(1, (2, 3)))), False),
    ],
    ids=["ewise", "scalar", "matmul", "reduce", "copy", "transposed", "one of two"],
)
def test_may_overwrite(instruction, expected):
    found = may_overwrite(instruction, 0, instruction.arguments[-1])
    same(found, expected, of="may_overwrite(instruction, 0, its output)", given={"instruction": str(instruction)})


@hint("%1 is not needed any more when %3 is written: they may share a place.")
def test_two_places_for_three():
    check_plan(
        """
        %0[2, 4] input
        %1[2, 4] = matmul(%0, %0[4, 4; 1, 0])
        %2[2, 4] = matmul(%1, %0[4, 4; 1, 0])
        %3[2, 4] = matmul(%2, %0[4, 4; 1, 0])
        %4[2, 1] = reduce_sum(%3)
        return %4
        """,
        2 * 32 + 8,
    )


@hint("An output may inherit the place of an input that is read for the last time, if the kernel is elementwise.")
def test_in_place():
    check_plan(
        """
        %0[2, 4] input
        %1[2, 4] = ewise_exp(%0)
        %2[2, 4] = ewise_neg(%1)
        %3[2, 4] = ewise_abs(%2)
        %4[2, 1] = reduce_sum(%3)
        return %4
        """,
        32 + 8,
    )


@hint("A product reads its operands over and over while it writes: it needs another place than both.")
def test_a_product_is_not_in_place():
    check_plan(
        """
        %0[3, 3] input
        %1[3, 3] = ewise_exp(%0)
        %2[3, 3] = matmul(%1, %1)
        %3[3, 1] = reduce_sum(%2)
        return %3
        """,
        2 * 36 + 12,
    )


@hint("%1 is read once more at the end: its place is not free before.")
def test_a_value_that_is_needed_later():
    check_plan(
        """
        %0[2, 4] input
        %1[2, 4] = ewise_exp(%0)
        %2[2, 4] = ewise_neg(%1)
        %3[2, 4] = ewise_abs(%2)
        %4[2, 4] = ewise_add(%1, %3)
        %5[2, 1] = reduce_sum(%4)
        return %5
        """,
        2 * 32 + 8,
    )


@hint("Only temporary buffers have places: inputs belong to others, outputs go out.")
def test_only_temporaries():
    check_plan(
        """
        %0[2, 4] input
        %1[2, 4] = ewise_exp(%0)
        %2[2, 4] = ewise_neg(%1)
        return %1, %2
        """,
        64,
    )


@hint("Of the free places that are large enough the smallest, so that the large one is there for what is large.")
def test_the_smallest_that_fits():
    check_plan(
        """
        %0[1, 8] input
        %1[1, 8] = ewise_exp(%0)
        %2[1, 2] = matmul(%0, %0[8, 2; 1, 0])
        %3[1, 1] = reduce_sum(%1)
        %4[1, 1] = reduce_sum(%2)
        %5[1, 2] = matmul(%0, %0[8, 2; 1, 0])
        %6[1, 8] = matmul(%5, %0[2, 8; 1, 0])
        %7[1, 1] = reduce_sum(%6)
        return %3, %4, %7
        """,
        32 + 8 + 12,
    )


@hint("If no free place is large enough, the largest grows: less is added.")
def test_a_place_that_grows():
    check_plan(
        """
        %0[1, 6] input
        %1[1, 2] = matmul(%0, %0[6, 2; 1, 0])
        %2[1, 1] = reduce_sum(%1)
        %3[1, 6] = matmul(%0, %0[6, 6; 1, 0])
        %4[1, 1] = reduce_sum(%3)
        return %2, %4
        """,
        24 + 8,
    )


@hint("A place holds one dtype.")
def test_dtypes_have_places_of_their_own():
    check_plan(
        """
        %0[4] input
        %1[4] = ewise_exp(%0)
        %2[1] = reduce_sum(%1)
        %3 float64[4] = copy(%0)
        %4 float64[1] = reduce_sum(%3)
        return %2, %4
        """,
        16 + 32 + 4 + 8,
    )


@hint("A result that nobody reads needs a place while it is written; afterwards the place is free.")
def test_a_result_that_nobody_reads():
    check_plan(
        """
        %0[2, 4] input
        %1[2, 4] = ewise_exp(%0)
        %2[2, 4] = ewise_neg(%0)
        %3[2, 1] = reduce_sum(%2)
        return %3
        """,
        32 + 8,
    )
