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


class _Diary:
    """A recorder that notes what actions give, or reads it out again; all else it passes on to the recorder behind."""

    def __init__(self, values: list[Any], reading: bool) -> None:
        self.behind = active.recorder
        self.values = values
        self.pages = iter(values) if reading else None

    def each_time(self, action: Callable[[], T]) -> T:
        if self.pages is not None:
            return next(self.pages)  # type: ignore[no-any-return]
        value = action() if self.behind is None else self.behind.each_time(action)
        self.values.append(value)
        return value

    def module_called(self, module: Any) -> None:
        if self.behind is not None:
            self.behind.module_called(module)

    def value_read(self, what: str) -> None:
        if self.behind is not None:
            self.behind.value_read(what)


@contextmanager
def _with_diary(values: list[Any], reading: bool) -> Iterator[list[Any]]:
    before = active.recorder
    active.recorder = _Diary(values, reading)
    try:
        yield values
    finally:
        active.recorder = before


def remembering() -> AbstractContextManager[list[Any]]:
    """Within the block, what `each_time` gives (random draws, say) is noted down in the list."""
    return _with_diary([], reading=False)


def recalling(values: list[Any]) -> AbstractContextManager[list[Any]]:
    """Within the block, which does again what was done once, `each_time` gives what it gave then."""
    return _with_diary(values, reading=True)


def repeating() -> bool:
    """Whether something is done again that was done once, so that its effects are there already."""
    return isinstance(active.recorder, _Diary) and active.recorder.pages is not None


def module_called(module: Any) -> None:
    """Tell a recorder that `module` takes part."""
    if active.recorder is not None:
        active.recorder.module_called(module)


def value_read(what: str) -> None:
    """Tell a recorder that values leave the device, which a recorded program cannot repeat."""
    if active.recorder is not None:
        active.recorder.value_read(what)
