"""drop_copies."""

from __future__ import annotations

import pytest

from hw.hw6.tests.checks import check_at_most, check_kernels
from hw.hw6.tests.programs import listing, program
from hw.testing import hint, same
from needle.compiled.passes import drop_copies


@hint("%1 holds what %0 holds: read %0, and leave the copy out.")
def test_one_copy():
    after = check_kernels(
        drop_copies,
        """
        %0[2, 3] input
        %1[2, 3] = copy(%0)
        %2[2, 3] = ewise_exp(%1)
        return %2
        """,
        ["ewise_exp"],
        mistakes={"the copy is still there": ["copy", "ewise_exp"]},
    )
    same([x.buffer for x in after.instructions[0].arguments], [0, 2], of="the operands of ewise_exp")
    same(sorted(after.buffers), [0, 2], of="the buffers that are left")


@hint("All that read the copy read the original, also through a view; other operands stay.")
def test_all_readers():
    after = check_kernels(
        drop_copies,
        """
        %0[2, 3] input
        %1[2, 3] = copy(%0)
        %2[2, 3] = ewise_exp(%1)
        %3[3, 2] = ewise_neg(%1[3, 2; 1, 3])
        %4[2, 2] = matmul(%2, %3)
        return %4
        """,
        ["ewise_exp", "ewise_neg", "matmul"],
    )
    operands = [x.buffer for instruction in after.instructions for x in instruction.arguments]
    same(operands, [0, 2, 0, 3, 2, 3, 4], of="the operands of all instructions")


@hint("A copy of a copy is read in the first original.")
def test_copies_of_copies():
    after = check_kernels(
        drop_copies,
        """
        %0[2, 3] input
        %1[2, 3] = scalar_add(%0, 1)
        %2[2, 3] = copy(%1)
        %3[2, 3] = copy(%2)
        %4[2, 3] = ewise_exp(%3)
        return %4
        """,
        ["scalar_add", "ewise_exp"],
        mistakes={"a copy of a copy stays": ["scalar_add", "copy", "ewise_exp"]},
    )
    same([x.buffer for x in after.instructions[1].arguments], [1, 4], of="the operands of ewise_exp")


@hint("A copy that makes a transposed or broadcast view compact, or casts, or takes a part, does some work.")
@pytest.mark.parametrize(
    "text",
    [
        """
        %0[2, 3] input
        %1[3, 2] = copy(%0[3, 2; 1, 3])
        %2[3, 2] = ewise_exp(%1)
        return %2
        """,
        """
        %0[1, 3] input
        %1[2, 3] = copy(%0[2, 3; 0, 1])
        %2[2, 3] = ewise_exp(%1)
        return %2
        """,
        """
        %0 int64[3] input
        %1[3] = copy(%0)
        %2[3] = ewise_exp(%1)
        return %2
        """,
        """
        %0[6] input
        %1[3] = copy(%0[3; 1; 3])
        %2[3] = ewise_exp(%1)
        return %2
        """,
    ],
    ids=["transposed", "broadcast", "cast", "part"],
)
def test_copies_that_do_some_work(text):
    check_kernels(drop_copies, text, ["copy", "ewise_exp"], mistakes={"the copy is left out": ["ewise_exp"]})


@hint("A copy that is returned, or left behind on a tensor, must be memory of its own.")
@pytest.mark.parametrize("way", ["return %1", "%0.data <- %1\nreturn %0"])
def test_copies_for_somebody_outside(way):
    text = f"""
        %0[2, 3] captured
        %1[2, 3] = copy(%0)
        {way}
    """
    check_kernels(drop_copies, text, ["copy"], mistakes={"the copy is left out": []})


@hint("Somebody writes to the original after it was copied: the copy keeps what was there. Count the writers.")
def test_an_original_that_is_written_again():
    check_kernels(
        drop_copies,
        """
        %0[3] input
        %1[3] = ewise_exp(%0)
        %2[3] = copy(%1)
        %1[3] = scalar_mul(%1, 3)
        %3[3] = ewise_add(%1, %2)
        return %3
        """,
        ["ewise_exp", "copy", "scalar_mul", "ewise_add"],
    )


@hint("Somebody writes to the copy: the original must not change.")
def test_a_copy_that_is_written():
    check_kernels(
        drop_copies,
        """
        %0[3] input
        %1[3] = copy(%0)
        %1[1; 1; 1] = fill(5.0)
        %2[3] = ewise_add(%0, %1)
        return %2
        """,
        ["copy", "fill", "ewise_add"],
    )


@hint("An argument's memory that is written: the copy keeps what was there before.")
def test_an_input_that_is_written():
    check_kernels(
        drop_copies,
        """
        %0[3] captured
        %1[3] = copy(%0)
        %0[3] = scalar_mul(%0, 2)
        %2[3] = ewise_add(%0, %1)
        return %2
        """,
        ["copy", "scalar_mul", "ewise_add"],
    )


@hint("Each copy costs a kernel call and twice its bytes; the whole program counts.")
def test_bytes():
    text = """
        %0[8, 8] input
        %1[8, 8] = copy(%0)
        %2[8, 8] = ewise_exp(%1)
        %3[8, 8] = copy(%2)
        %4[8, 8] = copy(%3[8, 8; 1, 8])
        %5[8, 8] = matmul(%3, %4)
        return %5
    """
    before = program(text)
    after = check_kernels(drop_copies, text, ["ewise_exp", "copy", "matmul"])
    given = {"before": listing(before), "bytes before": before.nbytes, "after": listing(after)}
    check_at_most(after.nbytes, 256 * 7, of="the bytes that are read and written", **given)
