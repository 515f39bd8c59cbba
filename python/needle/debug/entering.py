"""Ways into the stepping debugger: a program run under it, `set_trace` in the code, `pm` after an exception."""

from __future__ import annotations

import builtins
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from io import open_code
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import Any

from ..autograd import Value
from ..listening import leave, listeners, listening
from ..places import PACKAGE, Line, Place, is_users
from .console import Console
from .frames import line_in
from .recorder import KEEP, recording_of
from .stepper import Stepper, current, one_inner_step
from .terminal import Terminal
from .trace import Trace


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
    try:
        stepper.stop([] if header is None else [header])
    except BaseException:
        leave(stepper)
        raise


def pm(error: BaseException | None = None) -> None:
    """Look at the graph after an exception: in an ``except`` block, or at the prompt after a program failed.

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
    stepper = current()
    if stepper is not None and isinstance(stepper.front, Terminal):
        _look_at(stepper, stepper.front, error)
        return
    terminal, trace = Terminal(), recording_of(error)
    with listening(Stepper(Trace(KEEP) if trace is None else trace, terminal)) as stepper:
        _look_at(stepper, terminal, error)


def _look_at(stepper: Stepper, terminal: Terminal, error: BaseException) -> None:
    """Stand at the prompt where the program failed."""
    terminal.crash = error.__traceback__
    _gather(stepper, error.__traceback__)
    stepper.catch_up()
    try:
        stepper.stop([_failure(error)])
    finally:
        terminal.crash = None


def _failure(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(type(error), error)).rstrip()


def _gather(stepper: Stepper, link: TracebackType | None) -> None:
    """Take in all nodes that the variables of the failed functions lead to, from the outermost function on."""
    place = Place(Line("<unknown>", 0, ""))
    while link is not None:
        of_user = is_users(link.tb_frame.f_code)
        place = Place(line_in(link)) if of_user else place
        for name, value in list(link.tb_frame.f_locals.items()):
            for node in _values(value):
                stepper.appeared(node, place, name if node is value and of_user else "")
        link = link.tb_next


def _values(value: Any) -> Iterator[Value]:
    if isinstance(value, Value):
        yield value
    elif isinstance(value, (list, tuple)):
        yield from (item for item in value[:100] if isinstance(item, Value))


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
    terminal = Terminal(commands, Console())
    if not is_module:
        terminal.begin = Line(str(Path(target).resolve()), 1, "<module>")
        sys.path[0] = str(Path(target).resolve().parent)
    status = 0
    with listening(Stepper(Trace(keep), terminal)) as stepper, _interruptible(stepper):
        stepper.add_breakpoint("error")
        try:
            stepper.stop([f"{target}: break, step or continue; help lists the commands"])
            if is_module:
                runpy.run_module(target, run_name="__main__", alter_sys=True)
            else:
                _run_file(terminal)
        except SystemExit as error:
            status = _status(error.code)
        except BaseException as error:
            if terminal.has_quit:
                return 0
            status = 1
            _print_exception(error)
            terminal.crash = error.__traceback__
        if stepper in listeners:
            terminal.ended(stepper)
    return status


def _run_file(terminal: Terminal) -> None:
    """Run the file in a ``__main__`` of its own, whose variables stay after its end."""
    assert terminal.begin is not None
    main = ModuleType("__main__")
    terminal.namespace = main.__dict__
    main.__dict__.update(__file__=terminal.begin.filename, __builtins__=builtins)
    sys.modules["__main__"] = main
    with open_code(terminal.begin.filename) as file:
        code = compile(file.read(), terminal.begin.filename, "exec")
    exec(code, main.__dict__)


@contextmanager
def _interruptible(stepper: Stepper) -> Iterator[None]:
    """Within the block, an interrupt stops the program at its next event; a second one, before that, ends it."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        if stepper.at_prompt or stepper.is_interrupted or stepper not in listeners:
            raise KeyboardInterrupt
        stepper.is_interrupted, stepper.wanted = True, one_inner_step
        print("stops at the next event; another interrupt ends the program", file=sys.__stderr__)

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
