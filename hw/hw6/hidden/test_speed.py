"""The whole compiler on other programs than the one in the handout."""

from __future__ import annotations

import numpy as np
import pytest

from hw.hw6.tests.checks import EXACT, check_at_most
from hw.hw6.tests.machine import DEVICE, Compiled, compiled, kernel_calls, tensor
from hw.hw6.tests.programs import program, run
from hw.hw6.tests.recorded import TRAINING_STEP
from hw.hw6.tests.training import Step
from hw.testing import hint, same
from needle import nn, optim
from needle.compiled import passes


@hint("Any passes in any order compute the same; without a pass, the history has one entry.")
@pytest.mark.parametrize("chosen", [(), (5,), (3, 5), (5, 3), (2, 0), (3, 2, 0, 1), (0, 1, 2, 3, 4, 5), (4, 3)])
def test_passes_in_any_order(chosen):
    before = program(TRAINING_STEP)
    after = passes.improve(before, [passes.PASSES[i] for i in chosen if i != 5] + [passes.plan_memory] * (5 in chosen))
    same(run(after), run(before), of="what the training step computes after the passes", **EXACT)
    same(len(after.history), len(chosen) + 1, of="the number of entries in `history`")
    same(after.history[0][1] is before, True, of="whether the first entry is the program as it was recorded")


@hint("By default all of PASSES run; a generator of passes is as good as a list.")
def test_default_passes():
    before = program(TRAINING_STEP)
    same(len(passes.improve(before).history), len(passes.PASSES) + 1, of="the number of entries in `history`")
    some = passes.improve(before, (one for one in passes.PASSES[:2]))
    same([title for title, _ in some.history][1:], ["After drop_dead_code:", "After hoist_constants:"], of="titles")
    same(bool(before.history), False, of="whether the program that was given has a history now")


class Network:
    """Three layers with normalization and dropout, trained by Adam."""

    def __init__(self):
        np.random.seed(0)
        self.model = nn.Sequential(
            *(nn.Linear(5, 8, device=DEVICE), nn.LayerNorm1d(8, device=DEVICE), nn.ReLU(), nn.Dropout(0.3)),
            *(nn.Linear(8, 8, device=DEVICE), nn.BatchNorm1d(8, device=DEVICE), nn.ReLU()),
            nn.Linear(8, 3, device=DEVICE),
        )
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.01)
        rng = np.random.default_rng(1)
        self.images, self.labels = tensor(rng.normal(size=(6, 5))), tensor(rng.integers(0, 3, 6), "int64")

    def __call__(self, images, labels):
        loss = nn.SoftmaxLoss()(self.model(images), labels)
        self.optimizer.reset_grad()
        loss.backward(create_graph=False)
        self.optimizer.step()
        return loss

    def losses(self, function):
        np.random.seed(7)
        return [float(function(self.images, self.labels).numpy()) for _ in range(5)]


@hint("Dropout, two normalizations and Adam: every bit as without the compiler.")
def test_a_network():
    step, alone = Network(), Network()
    replayed = compiled(step)
    same(step.losses(replayed), alone.losses(alone), of="five losses", varies=True, **EXACT)
    states = [list(network.model.state_dict().values()) for network in (step, alone)]
    same(states[0], states[1], of="parameters and running estimates", varies=True, **EXACT)


@hint("Fewer kernel calls, fewer bytes, less memory, stage by stage.")
def test_a_network_counts():
    step = Network()
    replayed = compiled(step)
    for _ in range(2):
        replayed(step.images, step.labels)
    (_, recorded), *_ = replayed.program.history
    calls = len(kernel_calls(replayed, step.images, step.labels))
    check_at_most(calls / len(recorded.instructions), 0.6, of="kernel calls, as a part of those that were recorded,")
    check_at_most(replayed.program.nbytes / recorded.nbytes, 0.7, of="bytes, as a part of those that were recorded,")
    check_at_most(replayed.program.memory / recorded.memory, 0.4, of="memory, as a part of that without the passes,")


@hint("Other sizes: 20 features, 10 hidden units, 32 images.")
@pytest.mark.parametrize("passes_chosen", ["all", "without fusion", "none"])
def test_other_sizes(passes_chosen):
    chosen = {"all": passes.PASSES, "none": (), "without fusion": (*passes.PASSES[:3], *passes.PASSES[4:])}
    step, alone = (Step("momentum", 32, 20, 10) for _ in range(2))
    replayed = Compiled(step, chosen[passes_chosen])
    losses = [[float(f(s.images, s.labels).numpy()) for _ in range(4)] for f, s in ((replayed, step), (alone, alone))]
    same(losses[0], losses[1], of="four losses of a compiled training step", varies=True, **EXACT)
    same(step.state(), alone.state(), of="the parameters after four steps", varies=True, **EXACT)
    most = {"all": 36, "none": 71, "without fusion": 67}[passes_chosen]
    check_at_most(len(replayed.program.instructions), most, of="the instructions")
