"""The door to compiled functions: who records what this thread does, and what must be done again at each call.

While a compiled function (`needle.compiled`) is being recorded, `active.recorder` is set. Whoever does what a replay of
kernel calls would leave out says so here: random draws, effects on Python objects, modules whose mode matters, values
that leave the device. Nobody records in ordinary work, and then each function here does nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
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


def module_called(module: Any) -> None:
    """Tell a recorder that `module` takes part."""
    if active.recorder is not None:
        active.recorder.module_called(module)


def value_read(what: str) -> None:
    """Tell a recorder that values leave the device, which a recorded program cannot repeat."""
    if active.recorder is not None:
        active.recorder.value_read(what)
