"""drop_copies: several copies, outputs, offsets, sizes, and other dtypes."""

from __future__ import annotations

import pytest

from hw.hw6.tests.checks import check_kernels
from hw.hw6.tests.programs import kernels_of, program
from hw.testing import hint, same
from needle.compiled.passes import drop_copies


@hint("A copy of the copy of an input, both read: all read the input.")
def test_copies_that_are_all_read():
    after = check_kernels(
        drop_copies,
        """
        %0 float64[4] input
        %1 float64[4] = copy(%0)
        %2 float64[4] = copy(%1)
        %3 float64[4] = ewise_mul(%1, %2)
        %4 float64[4] = copy(%3)
        return %3, %4
        """,
        ["ewise_mul", "copy"],
    )
    operands = [x.buffer for x in after.instructions[0].arguments]
    same(operands, [0, 0, 3], of="the operands of ewise_mul")


@hint("A copy of a result that is returned is left out: the result is written once, and stays.")
def test_a_copy_of_an_output():
    after = check_kernels(
        drop_copies,
        """
        %0[4] input
        %1[4] = ewise_exp(%0)
        %2[4] = copy(%1)
        %3[4] = ewise_neg(%2)
        return %1, %3
        """,
        ["ewise_exp", "ewise_neg"],
    )
    same(sorted(after.buffers), [0, 1, 3], of="the buffers that are left")


@hint("Offsets: a copy to the middle of a buffer, or from the middle of one, is no copy of the whole.")
@pytest.mark.parametrize(
    "text",
    [
        """
        %0[3] input
        %1[6] = fill(1.0)
        %1[3; 1; 3] = copy(%0)
        %2[6] = ewise_neg(%1)
        return %2
        """,
        """
        %0[2, 3] input
        %1[3] = copy(%0[3; 1; 3])
        %2[3] = ewise_neg(%1)
        return %2
        """,
        """
        %0[3] input
        %1[6] = fill(1.0)
        %1[3] = copy(%0)
        %2[6] = ewise_neg(%1)
        return %2
        """,
        """
        %0[2, 3] input
        %1[2, 3; 1, 2] = copy(%0)
        %2[3, 2] = ewise_neg(%1[3, 2; 2, 1])
        return %2
        """,
    ],
    ids=["to the middle", "from the middle", "to the beginning", "to columns"],
)
def test_parts(text):
    check_kernels(drop_copies, text, kernels_of(program(text)))


@hint("The first row of a matrix begins where the matrix does: as a copy it is the whole of its own buffer.")
def test_the_beginning_of_a_buffer():
    after = check_kernels(
        drop_copies,
        """
        %0[2, 3] input
        %1[3] = copy(%0[3; 1; 0])
        %2[3] = ewise_neg(%1)
        return %2
        """,
        ["ewise_neg"],
    )
    same([x.buffer for x in after.instructions[0].arguments], [0, 2], of="the operands of ewise_neg")


@hint("Part of a buffer is written, and only that part is copied: the rest is nobody's copy.")
def test_a_copy_of_less_than_the_buffer():
    check_kernels(
        drop_copies,
        """
        %0[2] input
        %1[4] = copy(%0[4; 0])
        %2[4] = ewise_neg(%1)
        return %2
        """,
        ["copy", "ewise_neg"],
    )


@hint("The original is written behind the last reader of the copy, or before it: count writers, all of them.")
@pytest.mark.parametrize("position", [0, 1, 2])
def test_originals_with_two_writers(position):
    lines = ["%2[3] = copy(%1)", "%3[3] = ewise_neg(%2)"]
    lines.insert(position, "%1[3] = scalar_mul(%1, 2.0)")
    text = "\n".join(["%0[3] input", "%1[3] = ewise_exp(%0)", *lines, "%4[3] = ewise_add(%1, %3)", "return %4"])
    check_kernels(drop_copies, text, kernels_of(program(text)))


@hint("A kernel with two outputs is a writer of both.")
def test_a_writer_of_two():
    check_kernels(
        drop_copies,
        """
        %0[2, 3] input
        %1[3], %2[3] = moments(%0)
        %3[3] = copy(%2)
        %1[3] = scalar_mul(%3, 2.0)
        %4[3] = copy(%1)
        %5[3] = ewise_add(%4, %3)
        return %5
        """,
        ["moments", "scalar_mul", "copy", "ewise_add"],
    )


@hint("A copy into memory of the caller's is seen outside, though no effect names it.")
def test_a_copy_to_an_input():
    check_kernels(
        drop_copies,
        """
        %0[3] input
        %1[3] captured
        %1[3] = copy(%0)
        %2[3] = ewise_neg(%1)
        return %2
        """,
        ["copy", "ewise_neg"],
    )


@hint("Only `copy` copies; kernels with other arguments are left alone.")
def test_other_kernels():
    check_kernels(
        drop_copies,
        """
        %0[4, 3] input
        %1[4, 3] = copy(%0)
        %2[4, 3] = batch_norm(%1, %0[3], %1[3], 0.5)
        return %2
        """,
        ["batch_norm"],
    )


@hint("float64 to float32 and int64 to int32 are casts, though sizes agree.")
@pytest.mark.parametrize(("old", "new"), [("float64", "float32"), ("int64", "int32"), ("float32", "float64")])
def test_casts(old, new):
    check_kernels(
        drop_copies,
        f"""
        %0 {old}[3] input
        %1 {new}[3] = copy(%0)
        %2 {new}[3] = ewise_neg(%1)
        return %2
        """,
        ["copy", "ewise_neg"],
    )


@hint("Effects see a copy as much as results do.")
@pytest.mark.parametrize("attribute", ["data", "grad"])
def test_effects(attribute):
    check_kernels(
        drop_copies,
        f"""
        %0[3] captured
        %1[3] = ewise_exp(%0)
        %2[3] = copy(%1)
        %3[3] = copy(%1)
        %4[3] = ewise_neg(%3)
        %0.{attribute} <- %2
        return %4
        """,
        ["ewise_exp", "copy", "ewise_neg"],
    )
