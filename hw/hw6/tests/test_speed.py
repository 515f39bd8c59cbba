"""The whole compiler: what is left of a training step, in kernel calls, in bytes, in memory."""

from __future__ import annotations

import numpy as np
import pytest

from hw.hw6.tests.checks import EXACT, check_at_most
from hw.hw6.tests.machine import compiled, kernel_calls
from hw.hw6.tests.programs import program, run
from hw.hw6.tests.recorded import TRAINING_STEP
from hw.hw6.tests.training import Step
from hw.testing import hint, same
from needle.compiled import passes
from needle.compiled.fusion import fuse_elementwise


def improved(*chosen):
    """The training step after some passes, which must not change a bit; and what is told with it."""
    before = program(TRAINING_STEP)
    after = passes.improve(before, chosen)
    same(run(after), run(before), of="what the training step computes after the passes", **EXACT)
    return before, after


def told(before, name):
    return {f"{name} as recorded": getattr(before, name) if name != "instructions" else len(before.instructions)}


@hint("improve applies the passes in order, and remembers the program before and after each in `history`.")
def test_history():
    before = program(TRAINING_STEP)
    after = passes.improve(before, [passes.drop_dead_code, passes.plan_memory])
    titles = ["As recorded:", "After drop_dead_code:", "After plan_memory:"]
    same([title for title, _ in after.history], titles, of="the titles in `history`")
    counts = [len(each.instructions) for _, each in after.history]
    same(counts, [71, 69, 69], of="the instructions of the programs in `history`")
    same([bool(each.places) for _, each in after.history], [False, False, True], of="whether each has places")


@hint("Without dead code, constants and copies.")
def test_stage_1_instructions():
    before, after = improved(passes.drop_dead_code, passes.hoist_constants, passes.drop_copies)
    check_at_most(len(after.instructions), 68, of="the instructions", **told(before, "instructions"))


@hint("With fusion, half of the kernel calls are left.")
def test_stage_2_kernel_calls():
    before, after = improved(passes.drop_dead_code, passes.hoist_constants, passes.drop_copies, fuse_elementwise)
    check_at_most(len(after.instructions), 36, of="the kernel calls", **told(before, "instructions"))


@hint("What a chain keeps to itself is neither written nor read: half of the bytes are left.")
def test_stage_3_bytes():
    before, after = improved(passes.drop_dead_code, passes.hoist_constants, passes.drop_copies, fuse_elementwise)
    check_at_most(after.nbytes, 17500, of="the bytes that are read and written", **told(before, "nbytes"))


@hint("With all passes, memory is used again: places are shared, parameters are updated where they lie.")
def test_stage_4_memory():
    before, after = improved(*passes.PASSES)
    check_at_most(after.memory, 2200, of="the bytes of memory", **told(before, "memory"))


@hint("Recorded from the real network, improved and replayed: every bit as without the compiler, at half the calls.")
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_training(optimizer):
    step, alone = Step(optimizer), Step(optimizer)
    replayed = compiled(step)
    losses = [[float(f(s.images, s.labels).numpy()) for _ in range(5)] for f, s in ((replayed, step), (alone, alone))]
    same(losses[0], losses[1], of="five losses of a compiled training step", varies=True, **EXACT)
    same(step.state(), alone.state(), of="the parameters after five steps", varies=True, **EXACT)
    calls = len(kernel_calls(replayed, step.images, step.labels))
    eager = len(kernel_calls(alone, alone.images, alone.labels))
    check_at_most(calls / eager, 0.55, of="kernel calls of a replay, as a part of those without the compiler,")


@hint("A learning rate that changes between two calls is a number that is fed anew.")
def test_a_schedule():
    step, alone = Step(), Step()
    replayed = compiled(step)
    for rate in (0.1, 0.1, 0.05, 0.02):
        step.optimizer.lr = alone.optimizer.lr = rate
        replayed(step.images, step.labels)
        alone(alone.images, alone.labels)
    same(step.state(), alone.state(), of="the parameters after four steps with falling rates", varies=True, **EXACT)
    same(np.isfinite(step.state()[0]).all(), True, of="whether they are finite")
