"""Ways into the stepping debugger: a program run under it, `set_trace` in the code, `pm` after an exception."""

from __future__ import annotations

import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from ..autograd import Value
from ..listening import listeners
from ..places import PACKAGE, Line, Place
from .console import Console
from .recorder import latest
from .stepper import Quit, Stepper, current, one_inner_step, stepping
from .terminal import Terminal
from .trace import Trace

#: How many bytes of values the debugger keeps, by default.
KEEP = 256 * 2**20


def set_trace(*, header: str | None = None) -> None:
    """Enter the stepping debugger here; it records from here on.

    ``PYTHONBREAKPOINT=needle.debug.set_trace`` lets the built-in ``breakpoint()`` do this.

    Parameters
    ----------
    header : str, optional
        Is printed first.
    """
    stepper = current()
    if stepper is None:
        stepper = Stepper(Trace(KEEP), Terminal())
        listeners.append(stepper)
    stepper.stop([] if header is None else [header])


def pm(error: BaseException | None = None) -> None:
    """Look at the graph after an exception: in a ``except`` block, or at the prompt after a program failed.

    If the exception came out of a ``record()`` block, its recording is there with all its past. Otherwise the graph is
    what can be reached from the variables of the functions that failed, as it is now.

    Parameters
    ----------
    error : BaseException, optional
        The exception; by default the latest one.

    Raises
    ------
    ValueError
        If there is no exception to look at.
    """
    error = error or sys.exc_info()[1] or getattr(sys, "last_value", None)
    if error is None or error.__traceback__ is None:
        raise ValueError("pm: there is no exception to look at")
    terminal = Terminal()
    terminal.crash = error.__traceback__
    trace = latest()
    with stepping(Stepper(Trace(KEEP) if trace is None else trace, terminal)) as stepper:
        if trace is None:
            _gather(stepper, error.__traceback__)
        stepper.catch_up()
        stepper.stop([_failure(error)])


def _failure(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(type(error), error)).rstrip()


def _gather(stepper: Stepper, found: TracebackType) -> None:
    """Take in all nodes that the variables of the failed functions lead to, from the outermost function on."""
    link: TracebackType | None = found
    while link is not None:
        frame = link.tb_frame
        place = Place(Line(frame.f_code.co_filename, link.tb_lineno, frame.f_code.co_name), ())
        for name, value in list(frame.f_locals.items()):
            for node in _values(value):
                record = stepper.appeared(node, place)
                if node is value and not record.name and not frame.f_code.co_filename.startswith(PACKAGE):
                    record.name = name
        link = link.tb_next


def _values(value: Any) -> Iterator[Value]:
    if isinstance(value, Value):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value[:100]:
            yield from (item,) if isinstance(item, Value) else ()


def run(target: str, arguments: list[str], is_module: bool, commands: tuple[str, ...] = (), keep: int = KEEP) -> int:
    """Run a program under the debugger.

    Parameters
    ----------
    target : str
        A file, or the name of a module.
    arguments : list of str
        The program's own.
    is_module : bool
    commands : tuple of str
        The debugger carries them out first.
    keep : int
        How many bytes of values are kept.

    Returns
    -------
    int
        The program's exit status.
    """
    if not is_module and not Path(target).is_file():
        print(f"needle.debug: there is no file {target}", file=sys.stderr)
        return 2
    sys.argv = [target, *arguments]
    if not is_module:
        sys.path[0] = str(Path(target).resolve().parent)
    terminal = Terminal(commands, Console())
    status = 0
    with stepping(Stepper(Trace(keep), terminal)) as stepper, _interruptible(stepper):
        stepper.add_breakpoint("error")
        try:
            stepper.stop([f"{target}: break, step or continue; help lists the commands"])
            if is_module:
                runpy.run_module(target, run_name="__main__", alter_sys=True)
            else:
                runpy.run_path(target, run_name="__main__")
        except Quit:
            return 0
        except SystemExit as error:
            status = _status(error.code)
        except BaseException as error:
            status = 1
            _print_exception(error)
            terminal.crash = error.__traceback__
        if stepper in listeners:
            terminal.ended(stepper)
    return status


@contextmanager
def _interruptible(stepper: Stepper) -> Iterator[None]:
    """Within the block, an interrupt stops the program at its next event; a second one, before that, ends it."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        if stepper.wanted is one_inner_step:
            raise KeyboardInterrupt
        stepper.wanted = one_inner_step

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _status(code: Any) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)
    return 1


def _print_exception(error: BaseException) -> None:
    """The traceback without the frames of those who run the program."""
    link = error.__traceback__
    while link is not None and link.tb_frame.f_code.co_filename.startswith((PACKAGE, "<frozen runpy>")):
        link = link.tb_next
    traceback.print_exception(type(error), error, link or error.__traceback__)
