"""plan_memory: several outputs, several inputs that end, sizes that differ, and places that grow."""

from __future__ import annotations

import pytest

from hw.hw6.tests.programs import program, view
from hw.hw6.tests.test_memory import check_plan
from hw.testing import hint, same
from needle.compiled.passes import may_overwrite, plan_memory
from needle.compiled.program import Instruction

V = [view(number, (4,)) for number in range(9)]


@hint("All operands of that buffer have to be the view that is written; operands of other buffers do not matter.")
@pytest.mark.parametrize(
    ("instruction", "position", "expected"),
    [
        (Instruction("where", (V[3], V[0], V[2], V[1])), -1, True),
        (Instruction("adam", (V[0], V[2], V[3], V[4], 0.1, 0.9, 0.9, 1e-8, 0.0, V[5], V[6], V[1])), -1, True),
        (Instruction("sgd", (V[0], V[2], V[3], 0.1, 0.9, 0.0, V[1], V[4])), -2, True),
        (Instruction("ewise_add", (V[0], V[0], V[1])), -1, True),
        (Instruction("ewise_add", (V[2], V[3], V[1])), -1, True),
        (Instruction("ewise_add", (V[0], view(2, (4,), (0,)), V[1])), -1, True),
        (Instruction("ewise_add", (view(0, (4,), (1,), 1), V[0], V[1])), -1, False),
        (Instruction("ewise_neg", (view(0, (4,), (0,)), V[1])), -1, False),
        (Instruction("ewise_neg", (view(0, (2, 2)), V[1])), -1, False),
        (Instruction("softmax", (V[0], V[1])), -1, False),
        (Instruction("gather", (V[0], V[2], 0, V[1])), -1, False),
        (Instruction("batch_norm", (V[0], V[2], V[3], 1e-5, V[1])), -1, False),
    ],
)
def test_may_overwrite(instruction, position, expected):
    found = may_overwrite(instruction, 0, instruction.arguments[position])
    same(found, expected, of="may_overwrite(instruction, 0, an output)", given={"instruction": str(instruction)})


@hint("Two outputs of one instruction are there at the same time; only one of them can inherit the place of an input.")
def test_several_outputs():
    check_plan(
        """
        %0[4] input
        %1[4] = ewise_exp(%0)
        %2[4] = ewise_neg(%0)
        %3[4] = ewise_abs(%0)
        %4[4], %5[4] = sgd(%1, %2, %3, 0.1, 0.9, 0.01)
        %6[4] = ewise_add(%4, %5)
        %7[1] = reduce_sum(%6)
        return %7
        """,
        3 * 16 + 4,
    )


@hint("Two outputs of a kernel that is not elementwise, whose input ends: three places at once.")
def test_moments():
    check_plan(
        """
        %0[3, 4] input
        %1[3, 4] = ewise_exp(%0)
        %2[4], %3[4] = moments(%1)
        %4[4] = ewise_div(%2, %3)
        %5[1] = reduce_sum(%4)
        return %5
        """,
        48 + 2 * 16 + 4,
    )


@hint("Two inputs end at once: the output inherits one place, the other is free behind it, not before.")
def test_two_inputs_that_end():
    check_plan(
        """
        %0[4] input
        %1[4] = ewise_exp(%0)
        %2[4] = ewise_neg(%0)
        %3[4] = ewise_mul(%1, %2)
        %4[4] = ewise_tanh(%0)
        %5[4] = ewise_add(%3, %4)
        %6[1] = reduce_sum(%5)
        return %6
        """,
        2 * 16 + 4,
    )


@hint("Read twice by one instruction, as it lies and broadcast: what is written would be read.")
def test_an_input_in_two_views():
    check_plan(
        """
        %0[3, 3] input
        %1[3, 3] = ewise_exp(%0)
        %2[3, 3] = ewise_sub(%1, %1[3, 3; 0, 1])
        %3[3, 1] = reduce_sum(%2)
        return %3
        """,
        2 * 36 + 12,
    )


@hint("A transposed input is read in another order than the output is written.")
def test_a_transposed_input():
    check_plan(
        """
        %0[3, 3] input
        %1[3, 3] = ewise_exp(%0)
        %2[3, 3] = ewise_neg(%1[3, 3; 1, 3])
        %3[3, 1] = reduce_sum(%2)
        return %3
        """,
        2 * 36 + 12,
    )


@hint("Where shapes agree but the buffer is larger than what is read, the place is not inherited.")
def test_an_input_of_another_size():
    check_plan(
        """
        %0[8] input
        %1[8] = ewise_exp(%0)
        %2[4] = ewise_neg(%1[4])
        %3[8] = ewise_exp(%0)
        %4[8] = ewise_sub(%3, %2[8; 0])
        %5[1] = reduce_sum(%4)
        return %5
        """,
        32 + 16 + 4,
    )


@hint("float64 beside float32: places of one dtype are used again for it alone.")
def test_dtypes():
    check_plan(
        """
        %0[4] input
        %1 float64[4] = copy(%0)
        %2[4] = copy(%1)
        %3 float64[4] = copy(%2)
        %4[4] = copy(%3)
        %5[1] = reduce_sum(%4)
        return %5
        """,
        16 + 32 + 4,
    )


@hint("A buffer that is written in two parts has one place, from the first part on.")
def test_parts():
    check_plan(
        """
        %0[4] input
        %1[8] = fill(0.0)
        %2[8] = ewise_add(%0[8; 0], %0[8; 0])
        %3[1] = reduce_sum(%2)
        %1[4; 1; 4] = ewise_neg(%0)
        %4[8] = ewise_abs(%1)
        %5[1] = reduce_sum(%4)
        return %3, %5
        """,
        2 * 32 + 2 * 4,
    )


@hint("The largest free place grows, and what was in it before has ended.")
def test_the_largest_grows():
    check_plan(
        """
        %0[1, 9] input
        %1[1, 2] = matmul(%0, %0[9, 2; 1, 0])
        %2[1, 6] = matmul(%1, %0[2, 6; 1, 0])
        %3[1, 1] = reduce_sum(%2)
        %4[1, 9] = matmul(%0, %0[9, 9; 1, 0])
        %5[1, 1] = reduce_sum(%4)
        return %3, %5
        """,
        36 + 8 + 8,
    )


@hint("A place that was taken is free no more, and a free one is taken once.")
def test_places_are_taken_once():
    check_plan(
        """
        %0[1, 4] input
        %1[1, 4] = matmul(%0, %0[4, 4; 1, 0])
        %2[1, 4] = matmul(%1, %0[4, 4; 1, 0])
        %3[1, 4] = matmul(%2, %0[4, 4; 1, 0])
        %4[1, 4] = matmul(%2, %3[4, 4; 1, 0])
        %5[1, 4] = ewise_add(%3, %4)
        %6[1, 1] = reduce_sum(%5)
        return %6
        """,
        3 * 16 + 4,
    )


@hint("Of two outputs one may leave the program: the other is a temporary all the same.")
def test_one_output_of_two():
    check_plan(
        """
        %0[3, 4] input
        %1[4], %2[4] = moments(%0)
        %3[4] = ewise_neg(%2)
        %4[1] = reduce_sum(%3)
        return %1, %4
        """,
        16 + 16 + 4,
    )


@hint("Two places are larger than what is needed: the smaller of them.")
def test_the_smaller_of_two():
    check_plan(
        """
        %0[1, 8] input
        %1[1, 8] = matmul(%0, %0[8, 8; 1, 0])
        %2[1, 4] = matmul(%1, %0[8, 4; 1, 0])
        %3[1, 1] = reduce_sum(%2)
        %4[1, 3] = matmul(%0, %0[8, 3; 1, 0])
        %5[1, 8] = matmul(%4, %0[3, 8; 1, 0])
        %6[1, 1] = reduce_sum(%5)
        return %3, %6
        """,
        32 + 16 + 2 * 4,
    )


@hint("An input of another dtype gives no place away, though kernel, view and size would allow it.")
def test_a_condition():
    check_plan(
        """
        %0[4] input
        %1 bool[4] = copy(%0)
        %2[4] = where(%1, %0, %0)
        %3[1] = reduce_sum(%2)
        return %3
        """,
        4 + 16 + 4,
    )


@hint("Constants and outputs are no temporaries; a program without instructions has no places.")
def test_no_places():
    made = program("%0[4] input\nreturn %0")
    same(len(plan_memory(made).places), 0, of="the number of places without instructions")
