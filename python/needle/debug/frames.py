"""The frames of a running program: whose they are, and what the user sees of them."""

from __future__ import annotations

import bdb
import cmd
import contextlib
import pdb
import runpy
import sys
from pathlib import Path
from types import CodeType, FrameType, TracebackType

from ..places import Line, is_users

#: Frames of these files are the machinery that runs a program, not the program; nor is the library.
MACHINERY = ("<frozen runpy>", *(str(module.__file__) for module in (bdb, cmd, contextlib, pdb, runpy)))
#: Nor are, to a person, those of these packages.
RUNNERS = {"_pytest", "pluggy", "pytest"}


def is_programs(code: CodeType) -> bool:
    """Whether code is of the program that is debugged, a function of the library that a student writes included."""
    return is_users(code) and not code.co_filename.startswith(MACHINERY)


def is_shown(code: CodeType) -> bool:
    """The same, without what runs tests."""
    return is_programs(code) and RUNNERS.isdisjoint(Path(code.co_filename).parts)


def users_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of the user's."""
    while frame is not None and not is_programs(frame.f_code):
        frame = frame.f_back
    return frame


def crashed_at(crash: TracebackType | None) -> tuple[FrameType | None, Line | None]:
    """The innermost frame of the user's in which a program failed, and the line that it was at then."""
    found, link = None, crash
    while link is not None:
        if is_programs(link.tb_frame.f_code):
            found = link
        link = link.tb_next
    return (None, None) if found is None else (found.tb_frame, line_in(found))


def line_in(link: TracebackType) -> Line:
    """The line at which a frame of a traceback was."""
    code = link.tb_frame.f_code
    return Line(code.co_filename, link.tb_lineno, code.co_name)


def line_of(frame: FrameType) -> Line:
    """The line that a frame is at."""
    return Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def calls(frame: FrameType) -> list[Line]:
    """The user's calls that led to a frame, the outermost first."""
    lines: list[Line] = []
    link: FrameType | None = frame
    while link is not None:
        if is_shown(link.f_code):
            lines.append(line_of(link))
        link = link.f_back
    return lines[::-1]


def calls_of_crash(crash: TracebackType) -> list[Line]:
    """The user's calls that led to where a program failed, the outermost first."""
    lines = [] if crash.tb_frame.f_back is None else calls(crash.tb_frame.f_back)
    link: TracebackType | None = crash
    while link is not None:
        if is_shown(link.tb_frame.f_code):
            lines.append(line_in(link))
        link = link.tb_next
    return lines


def without_making(lines: tuple[Line, ...]) -> list[Line]:
    """Lines of the library without those that make every node."""
    return [line for line in lines if line.function not in ("make_from_op", "make", "__call__")]


def trace_with(debugger: pdb.Pdb, frame: FrameType) -> None:
    """Let `debugger` have the program, as it is set to go on, from a frame on."""
    link: FrameType | None = frame
    while link is not None:
        link.f_trace = debugger.trace_dispatch
        link = link.f_back
    sys.settrace(debugger.trace_dispatch)
