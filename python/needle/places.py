"""Where in a program something happens: the user's line, and the lines of the library between."""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
from types import CodeType, FrameType
from typing import NamedTuple

#: Code in this folder is the library's; all other is the user's.
PACKAGE = os.path.dirname(__file__) + os.sep

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
        return f"{os.path.basename(self.filename)}:{self.number}"


class Place(NamedTuple):
    """The user's innermost line, and the lines of the library that were called from there, outermost first.

    Outside the library, an operator that a student wrote counts as the user's, too: then the line is in its ``compute``
    or ``gradient``.
    """

    user: Line
    library: tuple[Line, ...] = ()
    instruction: int = 0  # of the user's frame

    @property
    def gradient(self) -> Line | None:
        """The line in the library's ``gradient`` of an op; None if there is none, or if it is the user's."""
        return next((line for line in reversed(self.library) if line.function in ("gradient", "definition")), None)

    def __str__(self) -> str:
        return str(self.user)


#: Functions of the library that count as the user's, by file within the package and name: those that a student writes.
_students: set[tuple[str, str]] = set()


def count_as_users(file: str, function: str) -> None:
    """Let a function of the library count as the user's: one that an assignment leaves to the student.

    Parameters
    ----------
    file : str
        Within the package, such as ``"ops/elementwise.py"``.
    function : str
        Its qualified name, such as ``"EWiseDiv.gradient"``.
    """
    global opinion
    opinion = object()
    _students.add((file, function))
    _users.clear()
    _library.clear()
    _places.clear()


#: Code of the user, and of the library, by identity; and the code itself, held so that no other gets that identity.
_users: set[int] = set()
_library: set[int] = set()
_codes: list[CodeType] = []
#: What was looked up before: a place by the instructions of its frames, and a line by its instruction.
_places: dict[tuple[object, ...], Place] = {}
_lines: dict[tuple[int, int], Line] = {}
_around: dict[int, Place | None] = {}  # places that others lie within, held so that no other gets their identity


def is_users(code: CodeType) -> bool:
    """Whether code is the user's, and not the library's; each is looked at once."""
    if id(code) in _library:
        return False
    if id(code) in _users:
        return True
    filename = code.co_filename
    found = not filename.startswith((PACKAGE, _BLOCKS))
    if not found and _students:
        name = getattr(code, "co_qualname", code.co_name)  # Python 3.10 has no qualified name: any of that name
        inside = filename.removeprefix(PACKAGE).replace(os.sep, "/")
        found = any(inside == file and name in (wanted, wanted.rpartition(".")[2]) for file, wanted in _students)
    (_users if found else _library).add(id(code))
    _codes.append(code)
    return found


#: Another object whenever `is_users` may say of some code what it did not say before.
opinion = object()


class Within:
    """What is known of the frames around: the place of `frame`, which waits for a call that has not returned yet.

    And of the places within it, by what tells them apart.
    """

    __slots__ = ("frame", "place", "trails")

    def __init__(self, frame: FrameType | None, place: Place | None, trails: dict[bytes, Place]) -> None:
        self.frame = frame
        self.place = place
        self.trails = trails


def here(without: tuple[str, ...] = (), frame: FrameType | None = None, within: Within | None = None) -> Place:
    """The place where the program is now; `without` the library's lines in files whose names begin like these.

    It is asked for at every event of a recording, so what an instruction stands for is looked up once; who knows from
    which `frame` on to look gives it, and who knows what it lies `within`.
    """
    first = frame = frame or sys._getframe(1)
    trail: list[object] = [without]
    library = _library
    end, outside = (None, None) if within is None else (within.frame, within.place)
    while frame is not end and frame is not None:
        key = id(frame.f_code)
        trail += key, frame.f_lasti
        if key not in library and is_users(frame.f_code):
            break
        frame = frame.f_back
    if frame is not end:
        outside = None
    trail.append(id(outside))
    found = _places.get(tuple(trail))
    if found is None:
        _around[id(outside)] = outside
        found = _places[tuple(trail)] = _place(first, frame, without, outside)
    return found


def _place(frame: FrameType | None, last: FrameType | None, without: tuple[str, ...], outside: Place | None) -> Place:
    """The place of the frames from `frame` out to the `last`: the user's, the first that is `outside`, or None."""
    frames: list[FrameType] = []
    while frame is not last and frame is not None:
        frames.append(frame)
        frame = frame.f_back
    last = last or frames.pop()
    library = [_line_at(f) for f in reversed(frames) if not f.f_code.co_filename.startswith((_BLOCKS, *without))]
    if outside is not None:
        return Place(outside.user, (*outside.library, *library), outside.instruction)
    return Place(_line_at(last), tuple(library), last.f_lasti)


def _line_at(frame: FrameType) -> Line:
    """The line of a frame; each instruction is looked up once. Its code is held by `is_users`."""
    key = id(frame.f_code), frame.f_lasti
    found = _lines.get(key)
    if found is None:
        found = _lines[key] = Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
    return found


def users_line(depth: int = 1) -> Line:
    """The user's line alone; who knows that so many of the innermost frames are the library's says it."""
    frame = sys._getframe(depth)
    library = _library
    while id(frame.f_code) in library or not is_users(frame.f_code):
        outside = frame.f_back
        if outside is None:
            break
        frame = outside
    return _line_at(frame)
