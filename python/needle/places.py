"""Where in a program something happens: the user's line, and the lines of the library between."""

from __future__ import annotations

import contextlib
import linecache
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

#: Code in this folder is the library's; all other is the user's.
PACKAGE = str(Path(__file__).parent)

#: Context managers of the library go through this file.
_BLOCKS = contextlib.__file__


class Line(NamedTuple):
    """A line of a running program."""

    filename: str
    number: int
    function: str

    @property
    def text(self) -> str:
        """Its source, without the spaces in front; empty if there is no source."""
        return linecache.getline(self.filename, self.number).strip()

    def __str__(self) -> str:
        return f"{Path(self.filename).name}:{self.number}"


class Place(NamedTuple):
    """The user's innermost line, and the lines of the library that were called from there, outermost first.

    Outside the library, an operator that a student wrote counts as the user's, too: then the line is in its ``compute``
    or ``gradient``.
    """

    user: Line
    library: tuple[Line, ...] = ()

    def __str__(self) -> str:
        return str(self.user)


class _Spot(NamedTuple):
    """An instruction: its code, which is held so that no other code gets its identity, and its line."""

    code: CodeType
    line: Line
    is_user: bool


_spots: dict[tuple[int, int], _Spot] = {}


def _spot(frame: FrameType) -> _Spot:
    """The instruction that a frame is at; each is looked up once."""
    code = frame.f_code
    found = _spots.get((id(code), frame.f_lasti))
    if found is None:
        line = Line(code.co_filename, frame.f_lineno, code.co_name)
        found = _Spot(code, line, not code.co_filename.startswith((PACKAGE, _BLOCKS)))
        _spots[id(code), frame.f_lasti] = found
    return found


def here(without: tuple[str, ...] = ()) -> Place:
    """The place where the program is now; `without` the library's lines in files whose names begin like these."""
    frame = sys._getframe(1)
    library: list[Line] = []
    spot = _spot(frame)
    while not spot.is_user and frame.f_back is not None:
        if not spot.line.filename.startswith((_BLOCKS, *without)):
            library.append(spot.line)
        frame = frame.f_back
        spot = _spot(frame)
    return Place(spot.line, tuple(reversed(library)))


def users_line() -> Line:
    """The user's line alone."""
    frame = sys._getframe(1)
    spot = _spot(frame)
    while not spot.is_user and frame.f_back is not None:
        frame = frame.f_back
        spot = _spot(frame)
    return spot.line
