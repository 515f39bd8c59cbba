"""Random functions with a state, of captured tensors that they view, replace and update: compiled and eager agree.

Between the calls the user does something, too: holds what was returned, gives the state new data, changes a rate. A
compiled function may refuse what it cannot repeat; it may not give anything else than the function itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import needle as ndl
from needle import init, nn, optim
from needle.backend_selection import BACKEND
from needle.compiled import CompileError

pytestmark = pytest.mark.skipif(BACKEND == "np", reason="compiled functions run as they are under np")

SHAPE = (2, 3)
OF_ONE: dict[str, Callable[[ndl.Tensor], ndl.Tensor]] = {
    "half": lambda x: x * 0.5,
    "tanh": ndl.tanh,
    "plus 1": lambda x: x + 1,
    "relu": ndl.relu,
    "column sums": lambda x: x.sum(axes=(0,)).reshape((1, 3)).broadcast_to(SHAPE),
    "detach": lambda x: x.detach(),
    "data": lambda x: x.data,
    "transposed twice": lambda x: x.transpose().transpose(),
    "reshaped twice": lambda x: x.reshape((3, 2)).reshape(SHAPE),
}
OF_TWO: dict[str, Callable[[ndl.Tensor, ndl.Tensor], ndl.Tensor]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "rows of both": lambda a, b: ndl.stack([a[0], b[1]], axis=0),
}
OPTIMIZERS: dict[str, Callable[[list[nn.Parameter]], optim.Optimizer]] = {
    "sgd": lambda parameters: optim.SGD(parameters, lr=0.1),
    "momentum": lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9),
    "adam": lambda parameters: optim.Adam(parameters, lr=0.1),
}
GIVEN = ("fresh", "fresh", "again", "of the state", "view of the state")
BETWEEN = ("nothing", "hold", "hold the state", "let go", "new first", "new last", "swap", "double", "rate")


@st.composite
def functions(draw: st.DrawFn) -> dict[str, Any]:
    """What the state is, how the function goes, in steps, and what it returns; values have numbers in order."""
    state = draw(st.lists(st.sampled_from(["parameter", "plain"]), min_size=1, max_size=3))
    arguments = draw(st.integers(1, 2))
    known = len(state) + arguments
    steps: list[tuple[Any, ...]] = []

    def value() -> int:
        return draw(st.integers(0, known - 1))

    for _ in range(draw(st.integers(1, 9))):
        kind = draw(st.sampled_from(["one", "one", "two", "assign", "backward", "gradient", "draw", "step", "reset"]))
        if kind == "one":
            steps.append((kind, draw(st.sampled_from(sorted(OF_ONE))), value()))
        elif kind == "two":
            steps.append((kind, draw(st.sampled_from(sorted(OF_TWO))), value(), value()))
        elif kind == "assign":
            steps.append((kind, draw(st.integers(0, len(state) + arguments - 1)), value()))
        elif kind == "backward":
            steps.append((kind, value()))
        elif kind == "gradient":
            steps.append((kind, draw(st.integers(0, len(state) - 1))))
        else:
            steps.append((kind,))
        known += kind in ("one", "two", "gradient", "draw")
    returned = draw(st.lists(st.integers(0, known - 1), min_size=1, max_size=3))
    optimizer = draw(st.sampled_from(sorted(OPTIMIZERS)))
    return {"state": state, "arguments": arguments, "steps": steps, "returned": returned, "optimizer": optimizer}


class World:
    """The state, the function that uses it, and what the user holds."""

    def __init__(self, plan: dict[str, Any], is_compiled: bool) -> None:
        self.plan = plan
        random = np.random.default_rng(0)
        self.state = [self._made(kind, random.random(SHAPE)) for kind in plan["state"]]
        parameters = [x for x in self.state if isinstance(x, nn.Parameter)]
        self.optimizer = OPTIMIZERS[plan["optimizer"]](parameters) if parameters else None
        self.function = ndl.compile(self.once) if is_compiled else self.once
        self.held: list[ndl.Tensor] = []
        self.given: list[ndl.Tensor] = []

    @staticmethod
    def _made(kind: str, values: np.ndarray) -> ndl.Tensor:
        tensor = ndl.Tensor(values, dtype="float32", requires_grad=False)
        return nn.Parameter(tensor) if kind == "parameter" else tensor

    def once(self, *arguments: ndl.Tensor) -> list[ndl.Tensor]:
        values = [*self.state, *arguments]
        assigned = list(values)
        for kind, *operands in self.plan["steps"]:
            if kind == "one":
                values.append(OF_ONE[operands[0]](values[operands[1]]))
            elif kind == "two":
                values.append(OF_TWO[operands[0]](values[operands[1]], values[operands[2]]))
            elif kind == "assign":
                assigned[operands[0]].data = values[operands[1]].detach()
            elif kind == "backward" and values[operands[0]].requires_grad:
                (values[operands[0]] ** 2).sum().backward(create_graph=False)
            elif kind == "gradient":
                gradient = self.state[operands[0]].grad
                values.append(self.state[operands[0]].detach() if gradient is None else gradient)
            elif kind == "draw":
                values.append(init.rand(*SHAPE))
            elif kind == "step" and self.optimizer is not None:
                self.optimizer.step()
            elif kind == "reset" and self.optimizer is not None:
                self.optimizer.reset_grad()
        return [values[i] for i in self.plan["returned"]]

    def call(self, number: int, given: list[str]) -> Exception | None:
        """Call the function with arguments of this number, or with what it knows; hold all, for now."""
        random = np.random.default_rng(number)
        fresh = [ndl.Tensor(random.random(SHAPE), dtype="float32", requires_grad=False) for _ in given]
        known = {"again": self.given or fresh, "of the state": self.state, "view of the state": self.state}
        arguments = [
            known[what][-1 - i % len(known[what])] if what in known else x
            for i, (what, x) in enumerate(zip(given, fresh))
        ]
        arguments = [x.detach() if what == "view of the state" else x for what, x in zip(given, arguments)]
        self.given = arguments
        np.random.seed(number)
        try:
            self.held += [*self.function(*arguments), *arguments]
        except Exception as error:
            return error
        return None

    def between(self, what: str, number: int, held_before: int) -> None:
        """What the user does after a call."""
        if what not in ("hold", "hold the state"):
            del self.held[held_before:]
        if what == "hold the state":
            self.held += [x.detach() for x in self.state]
        elif what == "let go":
            self.held.clear()
        elif what in ("new first", "new last"):
            self.state[0 if what == "new first" else -1].data = ndl.Tensor(np.full(SHAPE, number), dtype="float32")
        elif what == "swap":
            first, last = self.state[0].detach(), self.state[-1].detach()
            self.state[0].data, self.state[-1].data = last, first
        elif what == "double":
            self.state[0].data = self.state[0].data * 2
        elif what == "rate" and self.optimizer is not None:
            self.optimizer.lr *= 0.5

    def seen(self) -> list[np.ndarray | None]:
        """All that a user can see."""
        gradients = [x.grad.numpy() if x.grad is not None else None for x in self.state]
        return [*(x.numpy() for x in (*self.state, *self.held)), *gradients]


@st.composite
def uses(draw: st.DrawFn) -> tuple[dict[str, Any], list[tuple[list[str], str]]]:
    """A function, and for each call what it is given, and what the user does afterwards: nothing unusual in the end.

    Four such calls make it ready: the first may find the state as the others left it, and where the function gives the
    state the data of an argument, this has the state's memory at the next call, so that no two in a row are alike.
    """
    plan = draw(functions())
    given = st.lists(st.sampled_from(GIVEN), min_size=plan["arguments"], max_size=plan["arguments"])
    calls = draw(st.lists(st.tuples(given, st.sampled_from(BETWEEN)), min_size=6, max_size=6))
    return plan, calls + 4 * [(["fresh"] * plan["arguments"], "nothing")]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(uses())
def test_a_compiled_function_with_a_state_does_what_the_function_does_or_refuses(use):
    plan, calls = use
    eager, compiled = World(plan, is_compiled=False), World(plan, is_compiled=True)
    for number, (arguments, action) in enumerate(calls):
        held_before = len(eager.held)
        expected, error = eager.call(number, arguments), compiled.call(number, arguments)
        if isinstance(error, CompileError) and expected is None:
            return event("refused")
        assert type(error) is type(expected), error
        for a, b in zip(eager.seen(), compiled.seen(), strict=True):
            np.testing.assert_array_equal(a, b, f"after call {number}")
        if error is not None:
            return event("refused by the function itself")
        for world in (eager, compiled):
            world.between(action, number, held_before)
        for a, b in zip(eager.seen(), compiled.seen(), strict=True):
            np.testing.assert_array_equal(a, b, f"after {action!r}, after call {number}")
    assert compiled.function.programs
    return event(f"agrees, {len(compiled.function.programs)} programs")
