"""What an instruction reads and writes, and programs with other instructions."""

from __future__ import annotations

import pytest

from hw.hw6.tests.programs import program, view
from hw.testing import hint, same
from needle.compiled.numbers import Slot
from needle.compiled.program import Chain, Instruction, output_positions, with_instructions

V = [view(number, (2, 3)) for number in range(8)]
CHAIN = Chain(2, (("ewise_add", (0, 1)), ("ewise_exp", (2,))), (2, 3))


@hint("OUTPUTS counts from the end where it is negative; the answer counts from 0. By default it is the last argument.")
@pytest.mark.parametrize(
    ("kernel", "arguments", "expected"),
    [
        ("ewise_exp", [V[0], V[1]], [1]),
        ("ewise_add", [V[0], V[1], V[2]], [2]),
        ("scalar_mul", [V[0], 2.0, V[1]], [2]),
        ("fill", [V[0], 1.0], [0]),
        ("moments", [V[0], V[1], V[2]], [1, 2]),
        ("chain", [CHAIN, V[0], 2.0, V[1], V[2]], [3, 4]),
    ],
)
def test_positions(kernel, arguments, expected):
    same(list(output_positions(kernel, arguments)), expected, of=f"output_positions of {kernel}")


@hint("Views that are written are outputs, all other operands are inputs. Numbers and slots are neither.")
@pytest.mark.parametrize(
    ("kernel", "arguments", "inputs", "outputs"),
    [
        ("ewise_add", (V[0], V[1], V[2]), [0, 1], [2]),
        ("ewise_mul", (V[0], V[0], V[1]), [0, 0], [1]),
        ("scalar_mul", (V[4], Slot(0), V[5]), [4], [5]),
        ("fill", (V[3], 1.0), [], [3]),
        ("sgd", (V[0], V[1], V[2], 0.1, 0.9, 0.0, V[3], V[4]), [0, 1, 2], [3, 4]),
        ("chain", (CHAIN, V[6], V[7], V[1], V[2]), [6, 7], [1, 2]),
    ],
)
def test_inputs_and_outputs(kernel, arguments, inputs, outputs):
    instruction = Instruction(kernel, arguments)
    same([x.buffer for x in instruction.outputs], outputs, of=f"the buffers of the outputs of {kernel}")
    same([x.buffer for x in instruction.inputs], inputs, of=f"the buffers of the inputs of {kernel}")
    same(sorted(instruction.reads()), sorted(set(inputs)), of=f"the buffers that {kernel} reads")
    same(sorted(instruction.writes()), sorted(set(outputs)), of=f"the buffers that {kernel} writes")


@hint("scatter_add adds to what is in its output, so it reads it, too: see ACCUMULATING.")
def test_kernels_that_add():
    instruction = Instruction("scatter_add", (V[0], V[1], 0, V[2]))
    same([x.buffer for x in instruction.inputs], [0, 1, 2], of="the buffers of the inputs of scatter_add")
    same(sorted(instruction.writes()), [2], of="the buffers that scatter_add writes")


@hint("Another instruction, with another buffer in each operand that `new` names; views stay what they are.")
def test_other_buffers():
    instruction = Instruction("scalar_mul", (view(0, (3, 2), (1, 3), 4), 2.0, view(1, (3, 2))), "f.py:3")
    renamed = instruction.with_buffers({0: 5, 7: 9})
    same([x.buffer for x in (renamed.arguments[0], renamed.arguments[2])], [5, 1], of="buffers, with 0 renamed to 5")
    same([list(x) for x in renamed.arguments[0][1:3]], [[3, 2], [1, 3]], of="shape and strides of the renamed operand")
    same([renamed.arguments[0].offset, renamed.arguments[1]], [4, 2.0], of="its offset, and the number beside it")
    same([renamed.kernel, renamed.line], ["scalar_mul", "f.py:3"], of="kernel and line")
    same([instruction.arguments[0].buffer], [0], of="the buffer of the instruction that it was made of")


@hint("Somebody outside sees the operands of effects, but for None, and those in the result.")
def test_used():
    made = program("""
        %0[2] captured
        %1[2] = ewise_exp(%0)
        %2[2] = ewise_neg(%1)
        %3[2] = ewise_abs(%1)
        %0.data <- %2
        return %3
    """)
    same(sorted(set(made.used())), [2, 3], of="the buffers that are used")


@hint("Buffers that no instruction, no source and nobody outside names are left out; the argument stays as it is.")
def test_other_instructions():
    made = program("""
        %0[2] input
        %1[2] = ewise_exp(%0)
        %2[2] = ewise_neg(%0)
        %3[2] = ewise_abs(%2)
        return %3
    """)
    shorter = with_instructions(made, made.instructions[1:])
    same(sorted(shorter.buffers), [0, 2, 3], of="the buffers that are left when nobody writes %1")
    same(len(shorter.instructions), 2, of="the number of instructions")
    same([len(made.instructions), len(made.buffers)], [3, 4], of="instructions and buffers of the argument, afterwards")
