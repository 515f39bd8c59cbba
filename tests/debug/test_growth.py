"""`watch_growth` finds graphs that are kept alive across steps, names line and holder, and leaves clean loops alone."""

from __future__ import annotations

import inspect
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn, optim
from needle.debug.growth import Growth, GrowthWarning, watch_growth
from tests.autograd.graphs import live_values, tensor

Keep = Callable[[Any, int], object]


class Training:
    """A small training loop; what happens to the losses is the test's."""

    def __init__(self) -> None:
        np.random.seed(0)
        self.model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.01)
        self.loss_fn = nn.SoftmaxLoss()
        self.history: list[Any] = []

    def step(self, create_graph: bool = True) -> Any:
        images, labels = tensor(np.random.randn(6, 3)), tensor(np.arange(6) % 2, requires_grad=False)
        self.optimizer.reset_grad()
        loss = self.loss_fn(self.model(images), labels)
        loss.backward(create_graph=create_graph)
        self.optimizer.step()
        return loss

    def run(self, keep: Keep, steps: int = 26, create_graph: bool = True) -> None:
        for i in range(steps):
            keep(self.step(create_graph), i)


def watched(work: Callable[[], object]) -> Growth:
    """What is found while `work` is done; there must be a warning if, and only if, something is."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with watch_growth() as growth:
            work()
    assert [w.category for w in caught] == [GrowthWarning] * bool(growth.findings)
    assert all(w.filename == __file__ and str(w.message) == str(growth) for w in caught)
    return growth


def line_of(function: Any, text: str) -> int:
    """The number of the line in `function` that contains `text`."""
    lines, first = inspect.getsourcelines(function)
    return first + next(i for i, line in enumerate(lines) if text in line)


def test_a_list_of_losses_is_found_with_the_line_that_made_them(mode):
    losses = []
    growth = watched(lambda: Training().run(lambda loss, i: losses.append(loss)))
    (finding,) = growth.findings
    (holder,) = finding.held_by
    assert (holder.kind, holder.name, holder.tensors) == ("list", "losses", 26)
    assert (finding.line.function, finding.line.number) == ("step", line_of(Training.step, "loss = self.loss_fn"))
    assert finding.steps == 25 and finding.nodes == sum(finding.lines.values()) > 25 * 8
    assert str(growth).startswith(
        f"the graphs of 25 steps ({finding.nodes:,} nodes) are kept alive by list `losses` in "
    )
    assert f"  test_growth.py:{finding.line.number}: loss = self.loss_fn(self.model(images), labels)  (" in str(growth)


def test_a_sum_of_losses_is_found(mode):
    def work() -> None:
        training, total = Training(), tensor(0.0, requires_grad=False)
        for _ in range(26):
            total = total + training.step(create_graph=False)

    (finding,) = watched(work).findings
    assert [(holder.kind, holder.name) for holder in finding.held_by] == [("local", "total")]
    assert finding.line.number == line_of(test_a_sum_of_losses_is_found, "total = total +")


def test_what_an_object_keeps_is_found_also_if_it_is_kept_now_and_then_or_from_later_on():
    training = Training()

    def keep(loss: Any, i: int) -> None:
        if i % 3 == 0 and i > 20:
            training.history.append({"step": i, "loss": loss})

    (finding,) = watched(lambda: training.run(keep, 60)).findings
    assert [(holder.kind, holder.name) for holder in finding.held_by] == [("list", "training.history")]
    assert finding.steps == 13


def test_an_optimizer_whose_moments_keep_their_graph_is_found():
    """The bug of many a first momentum: no ``detach``."""

    class Momentum(optim.Optimizer):
        def __init__(self, params: Any) -> None:
            super().__init__(params)
            self.u: dict[int, Any] = {}

        def step(self) -> None:
            for i, param in enumerate(self.params):
                self.u[i] = self.u.get(i, 0.0) * 0.9 + param.grad
                param.data = param.data - self.u[i].detach() * self.lr
            self.has_stepped()

    training = Training()
    training.optimizer = Momentum(training.model.parameters())
    findings = watched(lambda: training.run(lambda loss, i: None)).findings
    assert {holder.name for holder in findings[0].held_by} == {"training.optimizer.u"}
    assert findings[0].line.number == line_of(Momentum.step, "self.u[i] = ")


def test_what_has_ended_when_the_block_ends_was_found_before():
    def train() -> None:
        losses: list[Any] = []
        Training().run(lambda loss, i: losses.append(loss))

    (finding,) = watched(train).findings
    assert finding.held_by[0].name == "losses" and finding.steps == 20


def test_lists_of_an_epoch_are_found_in_whichever_step_of_it_the_search_falls():
    def train() -> None:
        training = Training()
        for _ in range(4):
            losses: list[Any] = []
            training.run(lambda loss, i, losses=losses: losses.append(loss), 11)

    (finding,) = watched(train).findings
    assert finding.held_by[0].name == "losses"


KEPT: dict[str, Callable[[dict[str, Any]], Keep]] = {
    "nothing": lambda held: lambda loss, i: None,
    "the last loss": lambda held: lambda loss, i: held.update(last=loss),
    "the first and the best": lambda held: lambda loss, i: held.setdefault(i, loss) if i in (0, 3, 9, 20) else None,
    "numbers": lambda held: lambda loss, i: held.update({i: loss.item()}),
    "values without a graph": lambda held: lambda loss, i: held.setdefault(i, loss.detach()).numpy(),
    "the last five": lambda held: lambda loss, i: (held.update({i: loss}), held.pop(i - 5, None)),
    "a deque at its limit": lambda held: lambda loss, i: held.setdefault("d", deque(maxlen=6)).append(loss),
    "a deque before its limit": lambda held: lambda loss, i: held.setdefault("d", deque(maxlen=1000)).append(loss),
    "what a cache took at first": lambda held: lambda loss, i: held.setdefault(i, loss) if i < 7 else None,
}


@pytest.mark.parametrize("kept", KEPT)
def test_what_does_not_grow_draws_no_complaint(kept, mode):
    held: dict[str, Any] = {}
    growth = watched(lambda: Training().run(KEPT[kept](held)))
    assert growth.steps == 26 and not growth.findings, str(growth)
    assert str(growth) == "no graph is kept alive across the 26 steps that were watched"


def test_a_list_of_losses_whose_graphs_were_freed_draws_no_complaint():
    losses: list[Any] = []
    assert not watched(lambda: Training().run(lambda loss, i: losses.append(loss), create_graph=False)).findings


def test_steps_can_be_said_by_hand_and_then_those_of_optimizers_do_not_count():
    training, losses = Training(), []
    with pytest.warns(GrowthWarning, match="list `losses`"), watch_growth() as growth:
        growth.step()
        for _ in range(8):
            losses += [training.step() for _ in range(3)]
            growth.step()
    assert growth.steps == 9 and growth.findings[0].steps == 7
    assert growth.findings[0].held_by[0].tensors == 24


def test_without_steps_nothing_is_said_but_how_to_mark_them():
    def work() -> None:
        chain = tensor([1.0])
        for _ in range(100):
            chain = chain + 1

    growth = watched(work)
    assert not growth.findings and "growth.step()" in str(growth)


def test_compiled_functions_are_watched():
    training, losses = Training(), []
    compiled = ndl.compile(lambda x: training.model(x).sum())

    def work() -> None:
        for _ in range(14):
            losses.append(compiled(tensor(np.ones((6, 3)))))
            training.step()

    compiled(tensor(np.ones((6, 3))))
    (finding,) = watched(work).findings
    assert finding.held_by[0].name == "losses"


def test_watching_keeps_nothing_alive_and_an_error_goes_through():
    with pytest.raises(ZeroDivisionError), watch_growth() as growth:
        loss = Training().step()
        1 / 0  # noqa: B018
    assert growth.steps == 1
    before = live_values()
    assert loss is not None
    del loss
    assert live_values() < before
