"""drop_dead_code and hoist_constants."""

from __future__ import annotations

import pytest

from hw.hw6.tests.checks import check_kernels
from hw.hw6.tests.programs import kernels_of, program
from hw.testing import hint, same
from needle.compiled.passes import drop_dead_code, hoist_constants


@hint("Nobody reads %1, and nobody outside sees it.")
def test_one_dead_instruction():
    check_kernels(
        drop_dead_code,
        """
        %0[2, 3] input
        %1[2, 3] = ewise_exp(%0)
        %2[2, 3] = ewise_neg(%0)
        return %2
        """,
        ["ewise_neg"],
        mistakes={"nothing is dropped": ["ewise_exp", "ewise_neg"], "everything is dropped": []},
    )


@hint("What only dead instructions read is dead, too: go from the end to the beginning.")
def test_dead_instructions_behind_each_other():
    check_kernels(
        drop_dead_code,
        """
        %0[2, 3] input
        %1[2, 3] = ewise_exp(%0)
        %2[2, 3] = scalar_mul(%1, 2)
        %3[2, 1] = reduce_sum(%2)
        %4[2, 3] = scalar_add(%0, 1)
        return %4
        """,
        ["scalar_add"],
        mistakes={"only the last of them is dropped": ["ewise_exp", "scalar_mul", "scalar_add"]},
    )


@hint("What an effect leaves on a tensor is seen outside, and so is what a needed instruction reads.")
def test_what_is_needed_stays():
    check_kernels(
        drop_dead_code,
        """
        %0[2, 3] captured
        %1[2, 3] = ewise_exp(%0)
        %2[2, 3] = ewise_tanh(%1)
        %3[2, 3] = ewise_add(%1, %0)
        %4[2, 3] = ewise_neg(%0)
        %0.data <- %2
        %0.grad <- %3
        return %0
        """,
        ["ewise_exp", "ewise_tanh", "ewise_add"],
        mistakes={"effects are forgotten": []},
    )


@hint("An instruction that writes to memory of the caller's is seen outside, though no effect names it.")
def test_writing_to_an_input():
    check_kernels(
        drop_dead_code,
        """
        %0[3] input
        %1[3] = ewise_neg(%0)
        %0[3] = ewise_exp(%0)
        return %0
        """,
        ["ewise_exp"],
    )


@hint("Instructions stay in their order.")
def test_the_order_stays():
    check_kernels(
        drop_dead_code,
        """
        %0[2, 3] input
        %1[2, 3] = ewise_exp(%0)
        %2[2, 3] = ewise_neg(%1)
        %3[2, 3] = ewise_abs(%2)
        return %3
        """,
        ["ewise_exp", "ewise_neg", "ewise_abs"],
    )


@hint("fill and from_numpy with fixed arguments go to the setup; their buffers become constants.")
def test_constants():
    after = check_kernels(
        hoist_constants,
        """
        %0[3] input
        %1[3] = fill(2.0)
        %2[3] = from_numpy(array[1, 2, 3])
        %3[3] = ewise_add(%1, %2)
        %4[3] = ewise_mul(%3, %0)
        return %4
        """,
        ["ewise_add", "ewise_mul"],
        mistakes={"nothing is moved": ["fill", "from_numpy", "ewise_add", "ewise_mul"]},
    )
    same([i.kernel for i in after.setup], ["fill", "from_numpy"], of="the setup")
    same([after.buffers[i].role for i in (1, 2, 3)], ["constant", "constant", "temporary"], of="roles of %1, %2, %3")


@hint("A slot has another value at each replay; memory that is written twice does not hold the same all the time.")
@pytest.mark.parametrize("case", ["slot", "twice", "returned", "input"])
def test_what_is_no_constant(case):
    text = {
        "slot": """
            $0 = 2.0
            %0[3] input
            %1[3] = fill($0)
            %2[3] = ewise_add(%0, %1)
            return %2
        """,
        "twice": """
            %0[3] input
            %1[3] = fill(1.0)
            %1[1; 1; 2] = fill(5.0)
            %2[3] = ewise_add(%0, %1)
            return %2
        """,
        "returned": """
            %0[3] input
            %1[3] = fill(1.0)
            return %1
        """,
        "input": """
            %0[3] input
            %1[3] = copy(%0)
            %2[3] = ewise_neg(%1)
            return %2
        """,
    }[case]
    after = check_kernels(hoist_constants, text, kernels_of(program(text)))
    same(len(after.setup), 0, of="the number of instructions in the setup")


@hint("Moving constants leaves everything else, and what was in the setup before.")
def test_constants_twice():
    text = """
        %0[3] input
        %1[3] = fill(2.0)
        %2[3] = ewise_mul(%0, %1)
        return %2
    """
    after = check_kernels(hoist_constants, text, ["ewise_mul"])
    again = hoist_constants(after)
    same([i.kernel for i in again.setup], ["fill"], of="the setup, after a second time")
    same(kernels_of(again), ["ewise_mul"], of="the instructions, after a second time")
