"""Where in a program something happens: the user's line, and the lines of the library between."""

from __future__ import annotations

import contextlib
import linecache
import sys
from pathlib import Path
from typing import NamedTuple

#: Code in this folder is the library's; all other is the user's.
PACKAGE = str(Path(__file__).parent)

#: That, and what the library's blocks go through.
LIBRARY = (PACKAGE, contextlib.__file__)


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


def here() -> Place:
    """The place where the program is now."""
    frame = sys._getframe(1)
    between: list[Line] = []
    while frame.f_back is not None and frame.f_code.co_filename.startswith(LIBRARY):
        between.append(Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    user = Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
    return Place(user, tuple(reversed(between)))
