"""Comparing a replay with the function itself: what ``compile(check=True)`` does at each call."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor
from .numbers import Step
from .program import Program, leaves
from .recorder import CompileError


class State:
    """All that a program reads and changes, copied: tensors, gradients, numbers, NumPy's random generator."""

    def __init__(self, program: Program, arguments: list[Tensor]) -> None:
        self.tensors = [s.tensor if s.position is None else arguments[s.position] for s in program.sources]
        self.data = [x.cached_data.copy() for x in self.tensors]
        self.grads = [None if x.grad is None else (x.grad, x.grad.cached_data.copy()) for x in self.tensors]
        self.holders = {id(x): x for x in _holders(program)}
        self.numbers = [dict(vars(x)) for x in self.holders.values()]
        self.random = np.random.get_state()

    def restore(self) -> None:
        """Put everything back."""
        for tensor, data, grad in zip(self.tensors, self.data, self.grads):
            tensor.cached_data = data.copy()
            tensor.grad = None if grad is None else grad[0]
        for holder, numbers in zip(self.holders.values(), self.numbers):
            vars(holder).update(numbers)
        np.random.set_state(self.random)


def assert_same(program: Program, replayed: tuple[Any, State], eager: tuple[Any, State]) -> None:
    """Raise if the results or states differ in any bit."""
    for position, (got, expected) in enumerate(zip(leaves(replayed[0]), leaves(eager[0]))):
        if isinstance(expected, Tensor):
            _compare(program, f"result {position}", got.cached_data, expected.cached_data)
        elif got != expected:
            raise CompileError(f"{program.name}: a replay returns {got!r}, the function {expected!r}")
    after, expected_after = replayed[1], eager[1]
    for source, got, expected in zip(program.sources, after.data, expected_after.data):
        _compare(program, f"the data of {source}", got, expected)
    for source, got, expected in zip(program.sources, after.grads, expected_after.grads):
        if got is not None and expected is not None:
            _compare(program, f"the gradient of {source}", got[1], expected[1])
    for got, expected, holder in zip(after.numbers, expected_after.numbers, after.holders.values()):
        for name, value in expected.items():
            if isinstance(value, (int, float)) and got[name] != value:
                raise CompileError(
                    f"{program.name}: a replay leaves {type(holder).__name__}.{name} = {got[name]!r}, "
                    f"the function {value!r}"
                )


def _compare(program: Program, what: str, got: Any, expected: Any) -> None:
    if got.shape != expected.shape or got.numpy().tobytes() != expected.numpy().tobytes():
        raise CompileError(
            f"{program.name}: {what} differs between a replay and the function: something that the function depends on "
            "has changed since it was recorded"
        )


def _holders(program: Program) -> list[Any]:
    """The Python objects whose numbers the tape reads or changes."""
    found = []
    for step in program.tape.steps:
        if isinstance(step, Step):
            found += [x for x in step.operands[:1] if hasattr(x, "__dict__") and not isinstance(x, (int, float))]
            owner = getattr(step.function, "__self__", None)
            if hasattr(owner, "__dict__"):
                found.append(owner)
    return found
