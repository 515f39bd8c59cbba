"""What is wrong with a training: a listener that looks at it after each step of the optimizer."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .profiler import Memory
from .provenance import ancestors, where

#: So many steps in a row must show the same before it is a finding.
STEPS = 3


class Step(NamedTuple):
    """What was seen after a step: forward nodes that are alive, the norm of all gradients, parameters without one."""

    alive: frozenset[int]
    norm: float
    missing: tuple[str, ...]


class Finding(NamedTuple):
    """What is wrong, in a word of `Inspector.findings`, and where."""

    what: str
    where: str


class Inspector(Memory):
    """Looks for three mistakes that no error tells of.

    Attributes
    ----------
    steps : list of Step
        What was seen, step by step.
    """

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []

    def stepped(self, optimizer: Any) -> None:
        """Note what is to be seen after a step.

        - `alive`: the numbers of the nodes that are alive and were made in a forward pass (their `walk` is 0).
        - `norm`: the square root of the sum of the squares of all elements of all gradients, in float64.
        - `missing`: those of ``optimizer.params`` whose `grad` is None, in order, by their names; one that has none is
          called ``"parameter 3"``, by its position, from 0 on.
        """
        with self.lock:
            missing, squares = [], 0.0
            for position, param in enumerate(optimizer.params):
                if param.grad is None:
                    missing.append(self.nodes[self.number(param)].name or f"parameter {position}")
                else:
                    with np.errstate(over="ignore"):
                        squares += float((param.grad.numpy().astype("float64") ** 2).sum())
            alive = frozenset(number for number in self.alive if not self.nodes[number].walk)
            self.steps.append(Step(alive, float(np.sqrt(squares)), tuple(missing)))

    def findings(self) -> list[Finding]:
        """What is wrong: the findings of the three methods below, in their order."""
        return [*self.without_gradient(), *self.exploding(), *self.growing()]

    def without_gradient(self) -> list[Finding]:
        """``Finding("no gradient", name)`` for each parameter that was missing in every step; none without steps."""
        if not self.steps:
            return []
        names = [name for name in self.steps[0].missing if all(name in step.missing for step in self.steps)]
        return [Finding("no gradient", name) for name in names]

    def exploding(self) -> list[Finding]:
        """``Finding("exploding", "step 2")`` if the norm has at least doubled `STEPS` times in a row.

        The step is the first whose norm was doubled, in the first such row; steps count from 1. A norm that is NaN or
        Inf counts as doubled, one that is 0 never.
        """
        norms, row = [step.norm for step in self.steps], 0
        for number in range(1, len(norms)):
            row = 0 if norms[number] < 2 * norms[number - 1] or norms[number] == 0 else row + 1
            if row == STEPS:
                return [Finding("exploding", f"step {number - STEPS + 1}")]
        return []

    def growing(self) -> list[Finding]:
        """``Finding("growing graph", where)`` if more nodes were alive after each of the last `STEPS` steps.

        More, that is, than after the step before it. What holds them is looked for among the nodes that are alive after
        the last step: it was alive after the step before, or one of its `ancestors` was; and of its line more nodes are
        alive than after the step before. Of several, it is the one with the largest number. `where` tells its line.
        """
        counts = [len(step.alive) for step in self.steps[-STEPS - 1 :]]
        if len(counts) <= STEPS or any(a >= b for a, b in pairwise(counts)):
            return []
        before, now = self.steps[-2].alive, self.steps[-1].alive
        lines_before, lines_now = (Counter(self.nodes[n].line for n in numbers) for numbers in (before, now))
        for number in sorted(now, reverse=True):
            line = self.nodes[number].line
            if lines_now[line] > lines_before[line] and not before.isdisjoint(ancestors(self, number)):
                return [Finding("growing graph", where(line))]
        return []
