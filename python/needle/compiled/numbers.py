"""Python numbers that change from call to call: an optimizer's learning rate, its step count, what follows from them.

While a function is recorded, the numbers that optimizers hold are replaced by *fed* numbers. A fed number is a float or
an int like any other, but it knows how it came about, so arithmetic on it can be done again at each replay:

    optimizer.lr                    slot 0 = getattr(optimizer, "lr")
    1 - optimizer.beta1             slot 2 = 1 - slot 1

and a kernel that gets one as its argument gets the new value of its slot. Branching on a fed number leaves a *guard*: a
replay for which the branch would go the other way is refused, and the function is recorded again.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


class Step(NamedTuple):
    """``slots[out] = function(*operands)``, where an operand that is a `Slot` stands for the value in it."""

    function: Callable[..., Any]
    operands: tuple[Any, ...]
    out: int

    def __str__(self) -> str:
        name = getattr(self.function, "__name__", "effect")
        shown = [str(x) if isinstance(x, (Slot, int, float, str)) else type(x).__name__ for x in self.operands]
        return f"${self.out} = {name}({', '.join(shown)})"


class Guard(NamedTuple):
    """Slot `out` must be `outcome`."""

    out: int
    outcome: Any

    def __str__(self) -> str:
        return f"only if ${self.out} is {self.outcome!r}"


@dataclass(frozen=True)
class Slot:
    """The place of a value that is computed anew at each replay."""

    index: int

    def __str__(self) -> str:
        return f"${self.index}"


class Ready(NamedTuple):
    """A step as it runs, ``values[out] = function(*operands(values))``; without a function, a guard for `operands`."""

    function: Callable[..., Any] | None
    operands: Any
    out: int


class Tape:
    """What a replay does in Python before the kernels run: reads numbers, computes with them, draws, has effects.

    Attributes
    ----------
    steps : list of Step or Guard
        In the order of the recording.
    values : list
        Of each slot, the value at the last recording or replay.
    """

    def __init__(self) -> None:
        self.steps: list[Step | Guard] = []
        self.values: list[Any] = []
        self._known: dict[Any, int] = {}
        self._late: set[int] = set()  # slots that depend on an effect, or are one

    def add(
        self,
        function: Callable[..., Any],
        operands: tuple[Any, ...],
        value: Any,
        effect: bool = False,
        late: bool = False,
    ) -> int:
        """Record one step, ``function(*operands)``, which gave `value`; give the number of its slot.

        The same step again gives the same slot: the same function, operands of the same types and values, and `late`
        alike. An `effect` changes something outside, so it is a step of its own each time; and what was late before it
        may give another value after it, so that is forgotten. A step is late if an effect must come before it: because
        the caller says so, because it is an effect, or because one of its operands is a late slot.
        """
        key = (function, late, *[(type(x), x) for x in operands])
        if not effect and key in self._known:
            return self._known[key]
        out = len(self.values)
        self.values.append(value)
        self.steps.append(Step(function, operands, out))
        if effect:
            self._known = {known: slot for known, slot in self._known.items() if slot not in self._late}
        else:
            self._known[key] = out
        if effect or late or any(x.index in self._late for x in operands if isinstance(x, Slot)):
            self._late.add(out)
        return out

    def guard(self, slot: int, outcome: Any) -> None:
        """Let replays go on only where `slot` has this value: a `Guard` among the steps, once for the same."""
        guard = Guard(slot, outcome)
        if guard not in self.steps:
            self.steps.append(guard)

    def split(self) -> tuple[list[Ready], list[Ready]]:
        """The steps that can come before all effects, and the others: so guards are checked before anything happens."""
        early = [self._ready(step) for step in self.steps if step.out not in self._late]
        return early, [self._ready(step) for step in self.steps if step.out in self._late]

    def _ready(self, step: Step | Guard) -> Ready:
        """The step in the form that runs; constants get a place among the values, so that all operands have one."""
        if isinstance(step, Guard):
            return Ready(None, step.outcome, step.out)
        places = []
        for x in step.operands:
            places.append(x.index if isinstance(x, Slot) else len(self.values))
            if not isinstance(x, Slot):
                self.values.append(x)
        if len(places) < 2:
            return Ready(step.function, lambda values: [values[i] for i in places], step.out)
        return Ready(step.function, operator.itemgetter(*places), step.out)

    def run(self, steps: list[Ready]) -> bool:
        """Do `steps` again, in order, and put what they give into `values`; False as soon as a guard does not hold."""
        values = self.values
        for function, operands, out in steps:
            if function is not None:
                values[out] = function(*operands(values))
            elif values[out] != operands:
                return False
        return True


class Fed:
    """A number that is fed in anew at each replay, and knows how it came about.

    It says that it is a float or an int, and is neither: ``0.5 * n`` and ``math.sqrt(x)`` would take the number out of
    one that is, and ask nobody.
    """

    def __init__(self, tape: Tape, record: Callable[[], int], value: float) -> None:
        self.tape, self.record, self.value = tape, record, value

    @property
    def slot(self) -> Slot:
        """Its slot on the tape, where it is recorded when somebody asks."""
        return Slot(self.record())

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """What `isinstance` asks."""
        return type(self.value)

    def __repr__(self) -> str:
        return repr(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)

    def __hash__(self) -> int:
        return hash(self.value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(decided(self.tape, type(self.value), (self,)), dtype)

    def __getattr__(self, name: str) -> Any:
        """What a float or an int has besides: ``x.is_integer()``."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(decided(self.tape, type(self.value), (self,)), name)


def fed(tape: Tape, record: Callable[[], int], value: Any) -> Any:
    """`value` as a fed number, which `record` puts onto the tape; as it is, if it is no number."""
    return Fed(tape, record, value) if type(value) in (float, int) else value


def plain(value: Any) -> Any:
    """The number without its history."""
    return value.value if isinstance(value, Fed) else value


def computed(tape: Tape, function: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
    """``function(*operands)``, computed with plain numbers, as a fed number whose step is on the tape.

    NotImplemented, and no step, if an operand is no int or float of Python's: NumPy's numbers have arithmetic of their
    own.
    """
    if not all(isinstance(x, (int, float)) and not isinstance(x, np.generic) for x in operands):
        return NotImplemented
    value = function(*map(plain, operands))
    slot = _record(tape, function, operands, value)
    return fed(tape, lambda: slot, value)


def decided(tape: Tape, function: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
    """``function(*operands)``, computed with plain numbers, as a plain value on which the caller may branch.

    Its step is on the tape, and a guard for the value. Neither is if the value is NotImplemented.
    """
    value = function(*map(plain, operands))
    if value is not NotImplemented:
        tape.guard(_record(tape, function, operands, value), value)
    return value


def _arithmetic(function: Callable[..., Any], reverse: bool) -> Callable[..., Any]:
    def method(self: Any, *others: Any) -> Any:
        return computed(self.tape, function, (*others, self) if reverse else (self, *others))

    return method


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *others: Any) -> Any:
        return decided(self.tape, function, (self, *others))

    return method


def _record(tape: Tape, function: Callable[..., Any], operands: tuple[Any, ...], value: Any) -> int:
    """The slot of a step, for which fed operands stand as the slots that they are of."""
    return tape.add(function, tuple(x.slot if isinstance(x, Fed) else x for x in operands), value)


def _give_methods(kind: type) -> None:
    """Arithmetic, comparisons and conversions of fed numbers, which all go through the tape."""
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
        function = getattr(operator, name)
        setattr(kind, f"__{name}__", _arithmetic(function, reverse=False))
        setattr(kind, f"__r{name}__", _arithmetic(function, reverse=True))
    for name in ("neg", "pos", "abs"):
        setattr(kind, f"__{name}__", _arithmetic(getattr(operator, name), reverse=False))
    for name in ("lt", "le", "gt", "ge", "eq", "ne", "index"):
        setattr(kind, f"__{name}__", _guarded(getattr(operator, name)))
    for conversion in (bool, int, float, round, math.trunc, math.floor, math.ceil):
        setattr(kind, f"__{conversion.__name__}__", _guarded(conversion))


_give_methods(Fed)
