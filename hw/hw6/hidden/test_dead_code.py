"""drop_dead_code and hoist_constants, with kernels that have several outputs, add, or write to inputs."""

from __future__ import annotations

import pytest

from hw.hw6.tests.checks import check_kernels
from hw.hw6.tests.programs import kernels_of, program
from hw.testing import hint, same
from needle.compiled.passes import drop_dead_code, hoist_constants


@hint("An instruction of two outputs is needed if one of them is.")
@pytest.mark.parametrize("result", ["%1", "%2"])
def test_several_outputs(result):
    text = f"""
        %0[4, 3] input
        %1[3], %2[3] = moments(%0)
        return {result}
    """
    check_kernels(drop_dead_code, text, ["moments"])


@hint("A kernel that adds reads what was there: what was written before it is needed.")
def test_kernels_that_add():
    text = """
        %0[2, 3] input
        %1 int64[2] input
        %2[2, 3] = fill(0.0)
        %2[2, 3] = scatter_add(%0, %1, 0)
        return %2
    """
    check_kernels(drop_dead_code, text, ["fill", "scatter_add"])


@hint("Parts of a buffer may be written one by one: all of them are needed.")
def test_parts():
    check_kernels(
        drop_dead_code,
        """
        %0[3] input
        %1[6] = fill(1.0)
        %1[3; 1; 0] = ewise_exp(%0)
        %1[3; 1; 3] = ewise_neg(%0)
        %2[2, 3] = ewise_abs(%1[2, 3])
        return %2
        """,
        ["fill", "ewise_exp", "ewise_neg", "ewise_abs"],
    )


@hint("A nested result counts; None as a gradient needs nothing.")
def test_results_and_gradients_that_are_none():
    check_kernels(
        drop_dead_code,
        """
        %0[3] captured
        %1[3] = ewise_exp(%0)
        %2[3] = ewise_neg(%0)
        %3[3] = ewise_abs(%2)
        %0.grad <- None
        return %1, %0
        """,
        ["ewise_exp"],
    )


@hint("What only an instruction before it makes needed counts from there on: an input that is written last is kept.")
def test_a_write_to_an_input_keeps_what_it_reads():
    check_kernels(
        drop_dead_code,
        """
        %0[3] captured
        %1[3] captured
        %2[3] = ewise_exp(%0)
        %3[3] = ewise_neg(%0)
        %1[3] = ewise_mul(%2, %1)
        return %0
        """,
        ["ewise_exp", "ewise_mul"],
    )


@hint("Without instructions there is nothing to do; all dead is nothing left.")
@pytest.mark.parametrize("lines", ["", "%1[3] = ewise_exp(%0)"])
def test_nothing_is_left(lines):
    check_kernels(drop_dead_code, f"%0[3] input\n{lines}\nreturn %0", [])


@hint("A whole number is fixed, too. Other kernels are not moved, though their inputs are constants.")
def test_constants_and_what_reads_them():
    after = check_kernels(
        hoist_constants,
        """
        %0[3] input
        %1[3] = fill(2)
        %2[3] = ewise_exp(%1)
        %3[3] = copy(%1)
        %4[3] = ewise_add(%2, %0)
        return %4, %3
        """,
        ["ewise_exp", "copy", "ewise_add"],
    )
    same([after.buffers[i].role for i in (0, 1, 2)], ["input", "constant", "temporary"], of="roles of %0, %1, %2")


@hint("Inputs are not the program's own: filling one is done at each replay.")
def test_filling_an_input():
    text = """
        %0[3] captured
        %0[3] = fill(1.0)
        %1[3] = ewise_exp(%0)
        return %1
    """
    after = check_kernels(hoist_constants, text, ["fill", "ewise_exp"])
    same([len(after.setup), after.buffers[0].role], [0, "input"], of="the setup, and the role of %0")


@hint("A buffer that another kernel writes to as well is no constant.")
@pytest.mark.parametrize("other", ["%1[3] = ewise_exp(%1)", "%1[1; 1; 0] = copy(%0[1])"])
def test_another_writer(other):
    text = f"""
        %0[3] input
        %1[3] = from_numpy(array[1, 2, 3])
        {other}
        %2[3] = ewise_neg(%1)
        return %2
    """
    after = check_kernels(hoist_constants, text, kernels_of(program(text)))
    same(len(after.setup), 0, of="the number of instructions in the setup")


@hint("A draw is a slot: from_numpy stays.")
def test_draws():
    text = """
        %0[3] input
        %1[3] = from_numpy(array[1, 2, 3])
        %2[3] = fill($0)
        %3[3] = ewise_add(%1, %2)
        return %3
    """
    after = check_kernels(hoist_constants, "$0 = 3\n" + text, ["fill", "ewise_add"])
    same([i.kernel for i in after.setup], ["from_numpy"], of="the setup")
