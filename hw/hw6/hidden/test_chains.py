"""fuse_elementwise: what stands in the way, what does not, and long, wide and branching chains."""

from __future__ import annotations

import pytest

from hw.hw6.tests.checks import check_at_most, check_kernels, checked
from hw.hw6.tests.programs import kernels_of, listing, program
from hw.hw6.tests.test_chains import chains_of
from hw.testing import hint, same
from needle.compiled.fusion import MOST_VALUES, fuse_elementwise


@hint("A program without instructions, or without steps, stays as it is.")
@pytest.mark.parametrize("lines", ["", "%1[3, 3] = matmul(%0, %0)\n%2[3, 1] = reduce_sum(%1)"])
def test_nothing_to_fuse(lines):
    text = f"%0[3, 3] input\n{lines}\nreturn %0"
    check_kernels(fuse_elementwise, text, kernels_of(program(text)))


@hint("What an effect leaves on a tensor is read outside: it is an output, though members read it, too.")
def test_effects_are_outputs():
    after = check_kernels(
        fuse_elementwise,
        """
        %0[4] captured
        %1[4] captured
        %2[4] = scalar_mul(%1, 0.9)
        %3[4] = ewise_add(%2, %0)
        %4[4] = scalar_mul(%3, 0.1)
        %5[4] = ewise_sub(%0, %4)
        %1.data <- %3
        %0.data <- %5
        return %0
        """,
        ["chain"],
    )
    same([x.buffer for x in chains_of(after)[0].outputs], [3, 5], of="the outputs of the chain")
    same(sorted({x.buffer for x in chains_of(after)[0].inputs}), [0, 1], of="the buffers of its inputs")


@hint("The last of three members reads what is computed between the second and it: the chain stands at the end.")
def test_three_members():
    check_kernels(
        fuse_elementwise,
        """
        %0[2, 2] input
        %1[2, 2] = ewise_exp(%0)
        %2[2, 2] = ewise_neg(%1)
        %3[2, 2] = matmul(%0, %0)
        %4[2, 2] = ewise_add(%2, %3)
        return %4
        """,
        ["matmul", "chain"],
    )


@hint("Numbers are values of their own; rsub and rdiv take the number first. The order of operands is kept.")
def test_the_order_of_operands():
    check_kernels(
        fuse_elementwise,
        """
        $0 = 3.5
        %0[2, 3] input
        %1[2, 3] input
        %2[2, 3] = scalar_rsub(%0, 2.0)
        %3[2, 3] = ewise_div(%1, %2)
        %4[2, 3] = scalar_div(%3, $0)
        %5[2, 3] = ewise_sub(%4, %3)
        %6[2, 3] = scalar_rdiv(%5, 2.0)
        %7[2, 3] = ewise_div(%6, %2)
        return %7
        """,
        ["chain"],
    )


@hint("Views with other strides, or another offset, are other inputs than the buffer as a whole.")
def test_two_views_of_one_buffer():
    after = check_kernels(
        fuse_elementwise,
        """
        %0[8] input
        %1[4] = ewise_sub(%0[4; 1; 4], %0[4; 1; 0])
        %2[4] = ewise_div(%1, %0[4; 1; 4])
        %3[4] = ewise_add(%2, %0[4; 0; 1])
        return %3
        """,
        ["chain"],
    )
    same(len(chains_of(after)[0].inputs), 3, of="the number of operands that are inputs")


@hint("Two groups grow side by side; an instruction that reads one of them does not end the other.")
def test_two_groups():
    check_kernels(
        fuse_elementwise,
        """
        %0[2, 2] input
        %1[2, 2] input
        %2[2, 2] = ewise_exp(%0)
        %3[2, 2] = ewise_neg(%1)
        %4[2, 2] = ewise_tanh(%2)
        %5[2, 1] = reduce_sum(%4)
        %6[2, 2] = ewise_abs(%3)
        return %5, %6
        """,
        ["chain", "reduce_sum", "chain"],
    )


@hint("A group that has ended takes nothing more: its results are read from memory by the next one.")
def test_a_diamond_with_a_reduction():
    after = check_kernels(
        fuse_elementwise,
        """
        %0[2, 3] input
        %1[2, 1] = reduce_max(%0)
        %2[2, 3] = scalar_add(%0, 1.0)
        %3[2, 3] = ewise_exp(%2)
        %4[2, 1] = reduce_sum(%3)
        %5[2, 3] = ewise_neg(%3)
        %6[2, 3] = ewise_mul(%5, %2)
        return %1, %4, %6
        """,
        ["reduce_max", "chain", "reduce_sum", "chain"],
    )
    same([x.buffer for x in chains_of(after)[0].outputs], [2, 3], of="the outputs of the first chain")
    same(sorted(x.buffer for x in chains_of(after)[1].inputs), [2, 3], of="the inputs of the second chain")


@hint("Somebody overwrites what a member reads, between two members: the chain must be done before.")
def test_a_write_after_a_read():
    check_kernels(
        fuse_elementwise,
        """
        %0[4] captured
        %1[4] input
        %2[4] = ewise_mul(%0, %1)
        %3[4] = scalar_add(%2, 1.0)
        %0[4] = copy(%1)
        %4[4] = ewise_neg(%3)
        %5[4] = ewise_add(%4, %0)
        return %5
        """,
        ["chain", "copy", "chain"],
    )


@hint("A result in float64 beside one in float32: two groups, even with equal shapes.")
def test_dtypes_apart():
    check_kernels(
        fuse_elementwise,
        """
        %0[3] input
        %1 float64[3] input
        %2[3] = ewise_neg(%0)
        %3 float64[3] = ewise_neg(%1)
        %4 float64[3] = ewise_exp(%3)
        %5[3] = ewise_exp(%2)
        return %4, %5
        """,
        ["chain", "chain"],
    )


@hint("A result that nobody reads at all is no output of the chain, but for the last: it would have none.")
def test_a_result_for_nobody():
    text = """
        %0[4] input
        %1[4] = ewise_exp(%0)
        %2[4] = ewise_neg(%1)
        %3[4] = ewise_abs(%1)
        %4[4] = ewise_tanh(%3)
        return %4
    """
    after = checked(fuse_elementwise, text)
    before = program(text)
    given = {"before": listing(before), "bytes before": before.nbytes, "after": listing(after)}
    check_at_most(after.nbytes, 2 * 16, of="the bytes that are read and written", **given)


@hint("Where groups meet, all of them are counted: together at most MOST_VALUES. The first that fit are joined.")
def test_wide_chains():
    lines, ends = ["%0[4] input"], []
    for k in range(3):
        first = 1 + 4 * k
        lines += [f"%{first}[4] = scalar_mul(%0, {k}.5)"]
        lines += [f"%{i}[4] = scalar_add(%{i - 1}, 1.0)" for i in range(first + 1, first + 4)]
        ends.append(first + 3)
    lines += [f"%20[4] = ewise_add(%{ends[0]}, %{ends[1]})", f"%21[4] = ewise_mul(%20, %{ends[2]})"]
    text = "\n".join([*lines, "return %21"])
    after = checked(fuse_elementwise, text)
    steps = [len(x.arguments[0].steps) for x in chains_of(after)]
    given = {"kernels": kernels_of(after), "steps of the chains": steps, "MOST_VALUES": MOST_VALUES}
    same(kernels_of(after), ["chain", "chain"], of="the kernels for three rows that meet", given=given)
    same(sorted(steps), [5, 9], of="the number of steps of the chains", given=given)


@hint("Exactly MOST_VALUES values are allowed.")
@pytest.mark.parametrize("count", [MOST_VALUES // 2 - 1, MOST_VALUES // 2])
def test_exactly_as_many(count):
    lines = ["%0[4] input"] + [f"%{i}[4] = ewise_neg(%{i - 1})" for i in range(1, count + 1)]
    text = "\n".join([*lines, f"return %{count}"])
    check_kernels(fuse_elementwise, text, ["chain"])


@hint("One more, and there are two: the last step stays alone.")
def test_one_too_many():
    count = MOST_VALUES // 2 + 1
    lines = ["%0[4] input"] + [f"%{i}[4] = ewise_neg(%{i - 1})" for i in range(1, count + 1)]
    check_kernels(fuse_elementwise, "\n".join([*lines, f"return %{count}"]), ["chain", "ewise_neg"])
