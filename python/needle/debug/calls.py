"""The calls that are open in a thread while it is recorded: modules and backward walks, and the place among them."""

from __future__ import annotations

import contextlib
import sys
import threading
import weakref
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from .. import listening as door
from ..places import Place, Within, here

if TYPE_CHECKING:
    from .records import Node

_WATCHING = (str(Path(__file__).parent), door.__file__)
_ANNOUNCE = door.announce.__code__


class Calls:
    """The modules that are being called in a thread, and the backward walks that it makes; the innermost last.

    Attributes
    ----------
    open : list of tuple
        For each module its path, and where it was called.
    walks : list of int
        For each walk the index of the event with which it began.
    outermost : callable
        A weak reference to the module that no other contains.
    paths : dict of int to str
        The paths of its parts, by identity; `parts` keeps those of the modules that were outermost before.
    candidates : dict
        Names that nodes may get, until the outermost call ends.
    """

    def __init__(self) -> None:
        self.open: list[tuple[str, Place]] = []
        self.walks: list[int] = []
        self.outermost: Any = lambda: None
        self.paths: dict[int, str] = {}
        self.parts: weakref.WeakKeyDictionary[Any, dict[int, str]] = weakref.WeakKeyDictionary()
        self.candidates: dict[tuple[int, int], tuple[Node, str]] = {}
        self._around: list[Within] = []  # the frames of these calls and walks

    def place(self) -> Place:
        """Where the program is, without the lines of those who watch."""
        frame = sys._getframe(2)
        start = frame.f_back if frame.f_code is _ANNOUNCE else _announcing(frame)
        return here(_WATCHING, start, self._around[-1] if self._around else None)

    def enter(self, path: str, where: Place) -> None:
        """A module is called."""
        self.open.append((path, where))
        self._around.append(Within(_announcing(sys._getframe(1)), where))

    def leave(self) -> None:
        """The innermost call of a module has ended."""
        if self.open:
            self.open.pop()
            self._around.pop()

    def begin_walk(self, event: int) -> None:
        """A backward walk has begun, with the event of this index."""
        walker = _walker(_announcing(sys._getframe(1)))
        caller = None if walker is None else walker.f_back
        where = here(_WATCHING, caller, self._around[-1] if self._around else None)
        self.walks.append(event)
        self._around.append(Within(caller, where))

    def end_walk(self) -> None:
        """The innermost walk has ended."""
        if self.walks:
            self.walks.pop()
            self._around.pop()


class Here(threading.local):
    """What belongs to the thread that asks."""

    def __init__(self) -> None:
        self.calls = Calls()


def _announcing(frame: FrameType | None) -> FrameType | None:
    """The frame that announces what a listener, in `frame` or further in, is being told."""
    while frame is not None and frame.f_code is not _ANNOUNCE:
        frame = frame.f_back
    return None if frame is None else frame.f_back


def _walker(frame: FrameType | None) -> FrameType | None:
    """The function that makes a backward walk, of which it announces that it begins."""
    while frame is not None and frame.f_code.co_filename in (door.__file__, contextlib.__file__):
        frame = frame.f_back
    return frame
