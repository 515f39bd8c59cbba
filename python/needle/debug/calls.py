"""The calls that are open in a thread while it is recorded: modules and backward walks, and the place among them."""

from __future__ import annotations

import contextlib
import sys
import threading
import weakref
from pathlib import Path
from types import FrameType
from typing import Any

from .. import listening as door
from .. import places
from ..autograd import TensorOp, Value
from ..places import Line, Place, Within, here, is_users
from .extension import trail

_WATCHING = (str(Path(__file__).parent), door.__file__)
_ANNOUNCE = door.announce.__code__
#: Behind it, what every node comes through says nothing of where it comes from.
_MAKING = Value.make_from_op.__func__.__code__, TensorOp.__call__.__code__  # type: ignore[attr-defined]


class Calls:
    """The modules that are being called in a thread, and the backward walks that it makes; the innermost last.

    Attributes
    ----------
    open : list of tuple
        For each module its path, and where it was called.
    module : str
        The path of the innermost.
    walk : int or None
        Of the innermost walk the index of the event with which it began; None if there is none.
    within : tuple
        The innermost walk and module.
    around : Within
        The frames of these calls and walks, and what is known of the places within them.
    walker : Line or None
        The user's line that makes it.
    shared : Place or None
        If the latest event is a share: its place, which is that of the next one from the same consumer, too.
    outermost : callable
        A weak reference to the module that no other contains.
    paths : dict of int to str
        The paths of its parts, by identity; `parts` keeps those of the modules that were outermost before.
    candidates : dict
        Names that nodes may get, until the outermost call ends.
    """

    def __init__(self) -> None:
        self.open: list[tuple[str, Place]] = []
        self.module = ""
        self.walk: int | None = None
        self.within: tuple[int | None, str] = None, ""
        self.walker: Line | None = None
        self.shared: Place | None = None
        self.outermost: Any = lambda: None
        self.paths: dict[int, str] = {}
        self.parts: weakref.WeakKeyDictionary[Any, dict[int, str]] = weakref.WeakKeyDictionary()
        self.candidates: dict[tuple[int, int], tuple[int, str]] = {}
        self.around = Within(None, None, {})
        self._outer: list[Within] = []  # what was `around` before
        self._trails: dict[int, tuple[Place, dict[bytes, Place]]] = {}  # what is known within a place, by its identity
        self._walks: list[tuple[int | None, Line | None]] = []  # those around the innermost

    def place(self, depth: int = 3) -> Place:
        """Where the program is, without the lines of those who watch.

        What the processor's extension calls the trail of a place tells places apart, and much faster than going over
        frames in Python. A place is looked at when its trail is new, or always where there is no extension.

        The innermost `depth` frames tell nothing: this one, that of the listener, that of `announce`. Python makes an
        object of each frame that is looked at, which takes longer than the look, so it is asked for none of these.
        """
        around = self.around
        way = trail(sys._getframe(depth), around.frame, places.opinion, is_users)
        return around.trails.get(way) or self.looked_at(way)

    def looked_at(self, way: bytes | None) -> Place:
        """Where the program is; the next time, this `way` tells it."""
        frame = _announcing(sys._getframe(1))
        for code in _MAKING:
            if frame is not None and frame.f_code is code:
                frame = frame.f_back
        where = here(_WATCHING, frame, self.around)
        if way is not None:
            self.around.trails[way] = where
        return where

    def enter(self, path: str, where: Place) -> None:
        """A module is called."""
        self.open.append((path, where))
        self.module = path
        self.within = self.walk, path
        self._begin_around(_announcing(sys._getframe(1)), where)

    def leave(self) -> None:
        """The innermost call of a module has ended."""
        if self.open:
            self.open.pop()
            self.around = self._outer.pop()
            self.module = self.open[-1][0] if self.open else ""
            self.within = self.walk, self.module

    def begin_walk(self, event: int, line: Line) -> None:
        """The user's `line` has begun a backward walk, with the event of this index."""
        walker = _walker(_announcing(sys._getframe(1)))
        caller = None if walker is None else walker.f_back
        where = here(_WATCHING, caller, self.around)
        self._walks.append((self.walk, self.walker))
        self.walk, self.walker = event, line
        self.within = event, self.module
        self._begin_around(caller, where)

    def end_walk(self) -> None:
        """The innermost walk has ended."""
        if self._walks:
            self.walk, self.walker = self._walks.pop()
            self.within = self.walk, self.module
            self.around = self._outer.pop()

    def _begin_around(self, frame: FrameType | None, where: Place) -> None:
        _, trails = self._trails.setdefault(id(where), (where, {}))
        self._outer.append(self.around)
        self.around = Within(frame, where, trails)


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
