"""fuse_elementwise."""

from __future__ import annotations

import pytest

from hw.hw6.tests.checks import check_at_most, check_kernels, checked
from hw.hw6.tests.programs import kernels_of, listing, program
from hw.testing import hint, same
from needle.compiled.fusion import MOST_VALUES, fuse_elementwise


def chains_of(program):
    """The chains among the instructions."""
    return [instruction for instruction in program.instructions if instruction.kernel == "chain"]


@hint("Two steps, the second of which reads the first: one chain, and nobody writes what is between them.")
def test_two_steps():
    after = check_kernels(
        fuse_elementwise,
        """
        %0[2, 3] input
        %1[2, 3] = ewise_exp(%0)
        %2[2, 3] = ewise_neg(%1)
        return %2
        """,
        ["chain"],
        mistakes={"nothing is fused": ["ewise_exp", "ewise_neg"]},
    )
    (chain,) = chains_of(after)
    same([name for name, _ in chain.arguments[0].steps], ["ewise_exp", "ewise_neg"], of="the steps of the chain")
    same([[x.buffer for x in chain.inputs], [x.buffer for x in chain.outputs]], [[0], [2]], of="what it reads, writes")
    same(sorted(after.buffers), [0, 2], of="the buffers that are left")


@hint("The values of a chain: first its inputs, operands and numbers, then the result of each step.")
def test_numbers_and_operands():
    check_kernels(
        fuse_elementwise,
        """
        $0 = 0.25
        %0[2, 3] input
        %1[3] input
        %2[2, 3] = scalar_mul(%0, 2.0)
        %3[2, 3] = ewise_sub(%1[2, 3; 0, 1], %2)
        %4[2, 3] = scalar_rdiv(%3, $0)
        %5[2, 3] = ewise_add(%4, %0)
        return %5
        """,
        ["chain"],
    )


@hint("An operand is an input once, however often it is read; two views of one buffer are two inputs.")
def test_an_input_once():
    text = """
        %0[3, 3] input
        %1[3, 3] = ewise_mul(%0, %0)
        %2[3, 3] = ewise_add(%1, %0)
        %3[3, 3] = ewise_sub(%2, %0[3, 3; 0, 1])
        return %3
    """
    after = check_kernels(fuse_elementwise, text, ["chain"])
    before = program(text)
    given = {"before": listing(before), "bytes before": before.nbytes, "after": listing(after)}
    check_at_most(after.nbytes, 3 * 36, of="the bytes that are read and written", **given)


@hint("A result that somebody else reads, or that is returned, is written: an output of the chain.")
def test_outputs():
    after = check_kernels(
        fuse_elementwise,
        """
        %0[2, 3] input
        %1[2, 3] = ewise_exp(%0)
        %2[2, 3] = ewise_neg(%1)
        %3[2, 3] = ewise_abs(%2)
        %4[2, 1] = reduce_sum(%2)
        return %1, %3, %4
        """,
        ["chain", "reduce_sum"],
    )
    (chain,) = chains_of(after)
    same([x.buffer for x in chain.outputs], [1, 2, 3], of="the outputs of the chain")


@hint("The chain stands where its last member stood: what it reads from others is there by then.")
def test_something_between_that_is_not_in_the_way():
    check_kernels(
        fuse_elementwise,
        """
        %0[2, 2] input
        %1[2, 2] = ewise_exp(%0)
        %2[2, 2] = matmul(%0, %0)
        %3[2, 2] = ewise_add(%1, %2)
        return %3
        """,
        ["matmul", "chain"],
    )


@hint("An instruction that reads a result of a group ends the group: what comes behind it is another chain.")
def test_something_between_that_is_in_the_way():
    check_kernels(
        fuse_elementwise,
        """
        %0[2, 2] input
        %1[2, 2] = ewise_exp(%0)
        %2[2, 2] = ewise_neg(%1)
        %3[2, 1] = reduce_sum(%2)
        %4[2, 2] = ewise_abs(%2)
        %5[2, 2] = ewise_tanh(%4)
        return %3, %5
        """,
        ["chain", "reduce_sum", "chain"],
    )


@hint("An instruction that overwrites what a group reads comes after the group.")
def test_an_input_that_is_overwritten():
    check_kernels(
        fuse_elementwise,
        """
        %0[3] captured
        %1[3] = ewise_exp(%0)
        %2[3] = ewise_neg(%1)
        %0[3] = fill(0.0)
        %3[3] = ewise_abs(%2)
        return %3
        """,
        ["chain", "fill", "ewise_abs"],
    )


@hint("Groups that feed the same instruction become one.")
def test_groups_that_meet():
    check_kernels(
        fuse_elementwise,
        """
        %0[4] input
        %1[4] input
        %2[4] = scalar_mul(%0, 2.0)
        %3[4] = scalar_add(%1, 1.0)
        %4[4] = ewise_exp(%2)
        %5[4] = ewise_mul(%3, %4)
        return %5
        """,
        ["chain"],
    )


@hint("Steps that have nothing to do with each other stay apart; a group of one stays as it is.")
def test_strangers():
    check_kernels(
        fuse_elementwise,
        """
        %0[4] input
        %1[4] input
        %2[4] = ewise_exp(%0)
        %3[4] = ewise_neg(%1)
        return %2, %3
        """,
        ["ewise_exp", "ewise_neg"],
        mistakes={"a single step became a chain": ["chain", "chain"], "strangers were fused": ["chain"]},
    )


@hint("All operands of a chain have one shape and one dtype.")
@pytest.mark.parametrize(
    "text",
    [
        """
        %0[2, 3] input
        %1[2, 3] = ewise_exp(%0)
        %2[6] = ewise_neg(%1[6; 1])
        %3[2, 3] = ewise_abs(%1)
        return %2, %3
        """,
        """
        %0[3] input
        %1[3] = ewise_exp(%0)
        %2 float64[3] = copy(%1)
        %3 float64[3] = ewise_neg(%2)
        return %3
        """,
    ],
    ids=["shape", "dtype"],
)
def test_another_shape_or_dtype(text):
    kernels = kernels_of(program(text))
    check_kernels(fuse_elementwise, text, kernels)


@hint("A group grows to MOST_VALUES values: all arguments of its members, counted one by one.")
def test_long_chains():
    lines = ["%0[4] input"]
    lines += [f"%{i}[4] = scalar_add(%{i - 1}, {i}.5)" for i in range(1, 31)]
    text = "\n".join([*lines, "return %30"])
    after = checked(fuse_elementwise, text)
    given = {"kernels": kernels_of(after), "MOST_VALUES": MOST_VALUES}
    longest = max(len(x.arguments[0].steps) for x in chains_of(after))
    same(kernels_of(after), ["chain"] * 3, of="the kernels for 30 steps in a row", given=given)
    same(longest * 3 <= MOST_VALUES, True, of="whether no chain has more than MOST_VALUES values", given=given)
