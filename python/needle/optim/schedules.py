"""Learning rate schedules: functions of the step count, and what applies one to an optimizer.

A schedule's shape is a function from a step count t = 0, 1, 2, ... to a factor; the learning rate at step t is the
optimizer's initial rate times that factor. A step is whatever the training loop counts: an epoch, or an iteration.

    schedule = optim.Schedule(optimizer, optim.linear_warmup(500, then=optim.cosine(9500)))
    for batch in batches:
        ...
        optimizer.step()
        schedule.step()
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..nn.state import check_state
from ..recording import each_time
from .optimizer import Optimizer

Factor = Callable[[int], float]


def constant(t: int) -> float:
    """Give 1 at every step: the learning rate stays."""
    return 1.0


def step_decay(every: int, gamma: float = 0.1) -> Factor:
    """Multiply the rate by `gamma` after each `every` steps: the factor at t is ``gamma ** (t // every)``."""
    _check_steps("step_decay", every)

    def factor(t: int) -> float:
        return float(gamma ** (t // every))

    return factor


def cosine(steps: int, final: float = 0.0) -> Factor:
    """Go from 1 to `final` in `steps` steps along half a cosine, and stay there.

    The factor at t is ``final + (1 - final) * (1 + cos(pi * t / steps)) / 2``.

    References
    ----------
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017 (one cycle of it).
    """
    _check_steps("cosine", steps)

    def factor(t: int) -> float:
        if t >= steps:
            return final
        return final + (1 - final) * (1 + math.cos(math.pi * t / steps)) / 2

    return factor


def linear_warmup(steps: int, then: Factor = constant) -> Factor:
    """Rise to 1 in `steps` equal steps, then follow `then`, which counts from 0 again.

    The factor at t is ``(t + 1) / steps`` for t < steps (so the first step is not lost on a rate of 0), and
    ``then(t - steps)`` afterwards.

    References
    ----------
    Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017, section 2.2.
    """
    _check_steps("linear_warmup", steps)

    def factor(t: int) -> float:
        return (t + 1) / steps if t < steps else then(t - steps)

    return factor


class Schedule:
    """Sets ``optimizer.lr`` to its initial value times a factor that depends on the step count.

    Parameters
    ----------
    optimizer : Optimizer
        Its `lr` at this moment is the initial value; the factor at t = 0 is applied at once.
    factor : callable
        From the step count t to the factor: `step_decay`, `cosine`, `linear_warmup`, or any function of yours.

    Attributes
    ----------
    initial_lr : float
    t : int
        Number of `step` calls so far.
    """

    def __init__(self, optimizer: Optimizer, factor: Factor) -> None:
        self.optimizer = optimizer
        self.factor = factor
        self.initial_lr = optimizer.lr
        self.t = 0
        self._apply()

    def step(self) -> None:
        """Count one step and set the learning rate for the next."""
        each_time(self._advance)

    def _advance(self) -> None:
        self.t += 1
        self._apply()

    def state_dict(self) -> dict[str, Any]:
        """Give the step count and the initial learning rate."""
        return {"t": self.t, "initial_lr": self.initial_lr}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, and set the learning rate accordingly."""
        numbers = check_state(type(self).__name__, {"t": (), "initial_lr": ()}, state)
        self.t = int(numbers["t"])
        self.initial_lr = float(numbers["initial_lr"])
        self._apply()

    def _apply(self) -> None:
        self.optimizer.lr = self.initial_lr * self.factor(self.t)


def _check_steps(name: str, steps: int) -> None:
    if steps < 1:
        raise ValueError(f"{name}: the number of steps must be at least 1; got {steps}")
