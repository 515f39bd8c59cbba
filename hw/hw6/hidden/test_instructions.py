"""Instructions of all kinds of kernels, and programs with a setup, sources and nested results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw.hw6.tests.programs import program, view
from hw.testing import hint, same
from needle.compiled.numbers import Slot
from needle.compiled.program import Chain, Effect, Instruction, output_positions, with_instructions

V = [view(number, (4,)) for number in range(12)]


@hint("A kernel may have up to three outputs; the outputs of a chain are told by its Chain.")
@pytest.mark.parametrize(
    ("kernel", "arguments", "inputs", "outputs"),
    [
        ("batch_norm_gradient", (*V[:3], 1e-5, *V[3:6]), [0, 1, 2], [3, 4, 5]),
        ("adam", (*V[:4], 0.1, 0.9, 0.99, 1e-8, 0.0, *V[4:7]), [0, 1, 2, 3], [4, 5, 6]),
        ("from_numpy", (np.ones(4), V[2]), [], [2]),
        ("from_numpy", (Slot(1), V[2]), [], [2]),
        ("where", (V[7], V[8], V[9], V[1]), [7, 8, 9], [1]),
        ("gather", (V[0], V[1], 0, V[2]), [0, 1], [2]),
        ("chain", (Chain(2, (("scalar_mul", (0, 1)),), (2,)), V[3], Slot(0), V[4]), [3], [4]),
        ("chain", (Chain(1, (("ewise_exp", (0,)), ("ewise_neg", (1,))), (1, 2)), V[3], V[3], V[4]), [3], [3, 4]),
        ("sgd_plain", (V[0], V[1], 0.1, 0.0, V[2]), [0, 1], [2]),
    ],
)
def test_inputs_and_outputs(kernel, arguments, inputs, outputs):
    instruction = Instruction(kernel, arguments)
    expected = list(range(len(arguments) - len(outputs), len(arguments)))
    same(list(output_positions(kernel, arguments)), expected, of=f"output_positions of {kernel}")
    same([x.buffer for x in instruction.inputs], inputs, of=f"the buffers of the inputs of {kernel}")
    same([x.buffer for x in instruction.outputs], outputs, of=f"the buffers of the outputs of {kernel}")
    same([sorted(instruction.reads()), sorted(instruction.writes())], [inputs, outputs], of="what is read and written")


@hint("Positions count from 0, for fill as for others.")
def test_positions():
    same(list(output_positions("fill", [V[0], 2.0])), [0], of="output_positions of fill")
    same(list(output_positions("ewise_neg", [V[0], V[1]])), [1], of="output_positions of ewise_neg")


@hint("Buffers are renamed all at once: 0 becomes 1 and 1 becomes 0.")
def test_renaming_at_once():
    instruction = Instruction("ewise_add", (V[0], V[1], V[0]), "f.py:1")
    renamed = instruction.with_buffers({0: 1, 1: 0})
    same([x.buffer for x in renamed.arguments], [1, 0, 1], of="the buffers, with 0 and 1 swapped")
    same([x.buffer for x in instruction.arguments], [0, 1, 0], of="the instruction that it was made of")


@hint("Arguments that are no operands are handed on as they are.")
def test_renaming_leaves_the_rest():
    array = np.arange(3.0)
    chain = Chain(1, (("ewise_exp", (0,)),), (1,))
    renamed = Instruction("chain", (chain, V[3], V[4])).with_buffers({3: 8})
    same([renamed.arguments[0] is chain, renamed.arguments[1].buffer], [True, 8], of="the chain and its input")
    fixed = Instruction("from_numpy", (array, V[0])).with_buffers({0: 2})
    same([fixed.arguments[0] is array, fixed.arguments[1].buffer], [True, 2], of="the array and the output")


@hint("A result may be nested: leaves(result) goes through tuples, lists and dicts. None in an effect is nothing.")
def test_used():
    made = program("""
        %0[4] captured
        %1[4] = ewise_exp(%0)
        %2[4] = ewise_neg(%0)
        %3[4] = ewise_abs(%0)
        %0.grad <- None
        return %1
    """)
    made.result = {"loss": (V[1], [V[3], 5]), "more": made.sources[0], "none": None}
    same(sorted(set(made.used())), [1, 3], of="the buffers in a nested result")
    made.effects.append(Effect(0, "grad", V[2]))
    same(sorted(set(made.used())), [1, 2, 3], of="... and of a gradient")


@hint("The buffers of the setup, of sources and of results are needed, too.")
def test_other_instructions():
    made = program("""
        %0[4] input
        %1[4] captured
        %2[4] = fill(1.0)
        %3[4] = ewise_exp(%2)
        %4[4] = ewise_neg(%0)
        %5[4] = ewise_abs(%4)
        return %3
    """)
    made.setup = made.instructions[:2]
    made.sources.append(replace(made.sources[0], buffer=None))
    after = with_instructions(made, [])
    same(sorted(after.buffers), [0, 1, 2, 3], of="the buffers without instructions, with a setup")
    same([len(after.instructions), len(after.setup)], [0, 2], of="instructions and setup")
    same(sorted(made.buffers), [0, 1, 2, 3, 4, 5], of="the buffers of the argument, afterwards")
