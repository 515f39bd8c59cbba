"""The frames of a running program: whose they are, and what the user sees of them."""

from __future__ import annotations

import contextlib
import runpy
import sys
from pathlib import Path
from pdb import Pdb
from types import FrameType, TracebackType

from ..places import PACKAGE, Line

#: Frames of these files are the machinery that runs a program, not the program.
MACHINERY = (PACKAGE, "<frozen runpy>", runpy.__file__, contextlib.__file__)
#: Nor are, to a person, those of these packages.
RUNNERS = {"_pytest", "pluggy", "pytest"}


def users_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of the user's."""
    while frame is not None and frame.f_code.co_filename.startswith(MACHINERY):
        frame = frame.f_back
    return frame


def frame_of_crash(crash: TracebackType | None) -> FrameType | None:
    """The innermost frame of the user's in which a program failed."""
    found, link = None, crash
    while link is not None:
        if not link.tb_frame.f_code.co_filename.startswith(MACHINERY):
            found = link.tb_frame
        link = link.tb_next
    return found


def line_of(frame: FrameType) -> Line:
    """The line that a frame is at."""
    return Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def calls(frame: FrameType) -> list[Line]:
    """The user's calls that led to a frame, the outermost first."""
    lines: list[Line] = []
    link: FrameType | None = frame
    while link is not None:
        filename = link.f_code.co_filename
        if not filename.startswith(MACHINERY) and RUNNERS.isdisjoint(Path(filename).parts):
            lines.append(line_of(link))
        link = link.f_back
    return lines[::-1]


def without_making(lines: tuple[Line, ...]) -> list[Line]:
    """Lines of the library without those that make every node."""
    return [line for line in lines if line.function not in ("make_from_op", "make", "__call__")]


def trace_with(debugger: Pdb, frame: FrameType) -> None:
    """Let `debugger` stop at the next line of a frame."""
    debugger.set_next(frame)
    link: FrameType | None = frame
    while link is not None:
        link.f_trace = debugger.trace_dispatch
        debugger.botframe = link
        link = link.f_back
    sys.settrace(debugger.trace_dispatch)
