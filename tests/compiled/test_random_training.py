"""Random networks, optimizers and training steps, and what a user does between the steps: compiled and eager agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import needle as ndl
from needle import nn, optim
from needle.backend_selection import BACKEND

pytestmark = pytest.mark.skipif(BACKEND == "np", reason="compiled functions run as they are under np")

WIDTH, CLASSES = 6, 4
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(WIDTH, WIDTH),
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "batch norm": lambda: nn.BatchNorm1d(WIDTH),
    "layer norm": lambda: nn.LayerNorm1d(WIDTH),
    "dropout": lambda: nn.Dropout(0.3),
    "block": lambda: nn.Residual(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU())),
}
OPTIMIZERS: dict[str, Callable[[list[nn.Parameter]], optim.Optimizer]] = {
    "sgd": lambda parameters: optim.SGD(parameters, lr=0.1),
    "momentum": lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01),
    "adam": lambda parameters: optim.Adam(parameters, lr=0.01),
    "adam with decay": lambda parameters: optim.Adam(parameters, lr=0.01, weight_decay=0.1),
}
STEPS = ("reset first", "reset last", "never reset", "scaled gradients", "schedule inside")
BETWEEN = (
    *("nothing", "hold", "eval", "train", "rate", "decay", "other batch", "save", "load", "shrink", "reset"),
    *("eager backward", "schedule"),
)


class World:
    """A network in training, and what the user holds."""

    def __init__(self, layers: list[str], optimizer: str, step: str, is_compiled: bool) -> None:
        np.random.seed(0)
        made = [LAYERS[name]() for name in layers]
        self.model = nn.Sequential(nn.Linear(WIDTH, WIDTH), *made, nn.Linear(WIDTH, CLASSES))
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        self.schedule = optim.Schedule(self.optimizer, optim.cosine(20))
        self.how = step
        self.step = ndl.compile(self.learn) if is_compiled else self.learn
        self.held: list[ndl.Tensor] = []
        self.saved = self.model.state_dict()
        self.size = 5

    def learn(self, x: ndl.Tensor, y: ndl.Tensor) -> tuple[ndl.Tensor, ndl.Tensor]:
        if self.how == "reset first":
            self.optimizer.reset_grad()
        logits = self.model(x)
        loss = nn.SoftmaxLoss()(logits, y)
        loss.backward(create_graph=False)
        if self.how == "scaled gradients":
            for parameter in self.model.parameters():
                parameter.grad = parameter.grad * 0.5
        self.optimizer.step()
        if self.how == "schedule inside":
            self.schedule.step()
        if self.how == "reset last":
            self.optimizer.reset_grad()
        return loss, logits

    def batch(self, number: int) -> tuple[ndl.Tensor, ndl.Tensor]:
        random = np.random.default_rng(number)
        np.random.seed(number)
        x, y = random.standard_normal((self.size, WIDTH)), random.integers(0, CLASSES, self.size)
        return ndl.Tensor(x, dtype="float32", requires_grad=False), ndl.Tensor(y, requires_grad=False)

    def between(self, what: str, number: int, returned: tuple[ndl.Tensor, ...]) -> None:
        """What the user does after a step."""
        if what == "hold":
            self.held += [*returned, *(parameter.detach() for parameter in self.model.parameters())]
        elif what in ("eval", "train"):
            getattr(self.model, what)()
        elif what == "rate":
            self.optimizer.lr *= 0.7
        elif what == "decay":
            self.optimizer.weight_decay = 0.05
        elif what == "other batch":
            self.size = 8 - self.size % 8
        elif what == "save":
            self.saved = self.model.state_dict()
        elif what == "load":
            self.model.load_state_dict(self.saved)
        elif what == "shrink":
            for parameter in self.model.parameters():
                parameter.data = parameter.data * 0.9
        elif what == "reset":
            self.optimizer.reset_grad()
        elif what == "eager backward":
            x, y = self.batch(number)
            nn.SoftmaxLoss()(self.model(x), y).backward()
        elif what == "schedule":
            self.schedule.step()

    def seen(self) -> list[Any]:
        """All that a user can see."""
        gradients = [p.grad.numpy() if p.grad is not None else None for p in self.model.parameters()]
        numbers = [self.optimizer.lr, getattr(self.optimizer, "t", 0)]
        return [*self.model.state_dict().values(), *gradients, *(x.numpy() for x in self.held), *numbers]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(sorted(LAYERS)), max_size=4),
    st.sampled_from(sorted(OPTIMIZERS)),
    st.sampled_from(STEPS),
    st.lists(st.sampled_from(BETWEEN), min_size=8, max_size=8),
)
def test_compiled_training_is_eager_training_bit_for_bit(layers, optimizer, step, actions):
    eager, compiled = (World(layers, optimizer, step, is_compiled) for is_compiled in (False, True))
    for number, action in enumerate([*actions, "nothing", "nothing", "nothing"]):
        for world in (eager, compiled):
            world.between(action, number, world.step(*world.batch(number)))
        for a, b in zip(eager.seen(), compiled.seen(), strict=True):
            np.testing.assert_array_equal(a, b, f"after step {number} and {action!r}")
    assert compiled.step.programs
    event(f"{len(compiled.step.programs)} programs were replayed")
