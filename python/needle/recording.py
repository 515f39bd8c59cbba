"""The door to compiled functions: who records what this thread does, and what must be done again at each call.

While a compiled function (`needle.compiled`) is being recorded, `active.recorder` is set. Whoever does what a replay of
kernel calls would leave out says so here: random draws, effects on Python objects, modules whose mode matters, values
that leave the device. Nobody records in ordinary work, and then each function here does nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Recorder(Protocol):
    """What a recorder wants to know."""

    def each_time(self, action: Callable[[], T]) -> T:
        """Do `action` now and again at each replay; where it gives a NumPy array, that array is fed in anew."""

    def module_called(self, module: Any) -> None:
        """`module` takes part."""

    def value_read(self, what: str) -> None:
        """Somebody wants the values of an array: raises."""


class _Active(threading.local):
    recorder: Recorder | None = None


active = _Active()


def each_time(action: Callable[[], T]) -> T:
    """Do `action`, which a compiled function is to do again at each call: a random draw, say."""
    return action() if active.recorder is None else active.recorder.each_time(action)


class _Between:
    """A recorder that passes on to the one behind it what it is told; subclasses do something of their own with it."""

    def __init__(self) -> None:
        self.behind = active.recorder

    def each_time(self, action: Callable[[], T]) -> T:
        return action() if self.behind is None else self.behind.each_time(action)

    def module_called(self, module: Any) -> None:
        if self.behind is not None:
            self.behind.module_called(module)

    def value_read(self, what: str) -> None:
        if self.behind is not None:
            self.behind.value_read(what)


class _Notes(_Between):
    """Notes down what actions give."""

    def __init__(self, values: list[Any]) -> None:
        super().__init__()
        self.values = values

    def each_time(self, action: Callable[[], T]) -> T:
        self.values.append(super().each_time(action))
        return self.values[-1]  # type: ignore[no-any-return]


class _Repeats(_Between):
    """Something is done again: actions are not done, but give what they gave, if that was noted down."""

    def __init__(self, values: list[Any] | None) -> None:
        super().__init__()
        self.pages = None if values is None else iter(values)

    def each_time(self, action: Callable[[], T]) -> T:
        return action() if self.pages is None else next(self.pages)


@contextmanager
def _recorded_by(recorder: _Between) -> Iterator[None]:
    active.recorder = recorder
    try:
        yield
    finally:
        active.recorder = recorder.behind


def remembering(values: list[Any]) -> AbstractContextManager[None]:
    """Within the block, what `each_time` gives (random draws, say) is noted down in the list."""
    return _recorded_by(_Notes(values))


def recalling(values: list[Any]) -> AbstractContextManager[None]:
    """Within the block, which does again what was done once, `each_time` gives what it gave then."""
    return _recorded_by(_Repeats(values))


def trying_out() -> AbstractContextManager[None]:
    """Within the block, something is done whose effects (running statistics, say) are not wanted; draws are made."""
    return _recorded_by(_Repeats(None))


def repeating() -> bool:
    """Whether effects are to be left out: they are there already, or not wanted."""
    recorder = active.recorder
    while isinstance(recorder, _Between) and not isinstance(recorder, _Repeats):
        recorder = recorder.behind
    return isinstance(recorder, _Repeats)


def module_called(module: Any) -> None:
    """Tell a recorder that `module` takes part."""
    if active.recorder is not None:
        active.recorder.module_called(module)


@contextmanager
def explaining() -> Iterator[None]:
    """Within the block, where the message of an error is made, values may be read: nothing of it is recorded."""
    recorder, active.recorder = active.recorder, None
    try:
        yield
    finally:
        active.recorder = recorder


def value_read(what: str) -> None:
    """Tell a recorder that values leave the device, which a recorded program cannot repeat."""
    if active.recorder is not None:
        active.recorder.value_read(what)
