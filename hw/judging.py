"""What runs in the child process: the tests of a task, with pytest, reported record by record to whoever started it.

The instructions come as JSON on standard input, with the key that seals the records (`hw.records`). Records go to what
was standard output; whatever tests and students print goes to standard error. What pytest, NumPy and `hw.testing`
consist of is noted before any student's code is imported, and compared after every case.
"""

from __future__ import annotations

import builtins
import gc
import importlib
import json
import linecache
import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import FunctionType, TracebackType
from typing import Any

import _pytest.outcomes
import _pytest.python
import _pytest.runner
import numpy as np
import pytest

from . import UsageError, records, testing, trees

#: Plugins of pytest that take time at every start, and that no test of an assignment needs.
UNUSED = """
    cacheprovider doctest faulthandler junitxml legacypath logging pastebin setuponly setupplan stepwise terminal
    threadexception unittest unraisableexception
"""
#: The longest text of a failure that is passed on.
LONGEST_TEXT = 4000
#: The longest line of source in a failure.
LONGEST_LINE = 72
#: How many places in the tree are shown that an error came through.
MOST_PLACES = 4
#: Larger values than this are not compared.
LARGEST_VALUE = 8 << 20

Send = Callable[[dict[str, Any]], None]


def main() -> None:
    """Read the instructions, run the tests, leave. Handlers that student's code left for the end do not run."""
    instructions = json.loads(sys.stdin.buffer.read())
    send = sender(claim_output(), records.sealer(bytes.fromhex(instructions.pop("key"))))
    tree = Path.cwd()
    trees.prefer(tree)
    judge = Judge(send, tree, instructions)
    judge.import_library(instructions["imports"])
    if not judge.broken:
        arguments = [argument for plugin in UNUSED.split() for argument in ("-p", f"no:{plugin}")]
        arguments += ["-o", "addopts=", "--import-mode=importlib", "--assert=plain", "--noconftest"]
        arguments += ["--exitfirst"] if instructions["first_failure"] else []
        arguments += ["--capture=sys" if instructions["capture"] else "--capture=no", f"--rootdir={tree}"]
        pytest.main([*arguments, *instructions["files"]], plugins=[judge])
    if not judge.interrupted:
        send({"event": "finished"})
    os._exit(0)


def claim_output() -> int:
    """Take standard output for the records; what is printed goes to standard error, what is read is empty."""
    output = os.dup(1)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return output


def sender(output: int, seal: Callable[[dict[str, Any]], bytes]) -> Send:
    """A function that writes a record; in a process that was forked off, it ends that process."""
    owner, process, leave, write = os.getpid(), os.getpid, os._exit, os.write

    def send(record: dict[str, Any]) -> None:
        if process() != owner:
            leave(1)
        line = seal(record)
        while line:
            line = line[write(output, line) :]

    return send


class Witness:
    """Notices when functions of the modules that judge are replaced or rewritten."""

    def __init__(self) -> None:
        modules = [
            builtins,
            np,
            np.testing,
            np.linalg,
            np.random,
            pytest,
            records,
            testing,
            json,
            sys.modules[__name__],
        ]
        modules += [_pytest.outcomes, _pytest.python, _pytest.runner]
        classes = [testing.Mismatch, _pytest.python.Function, _pytest.runner.CallInfo, Judge, Witness]
        spaces: list[tuple[str, Mapping[str, Any]]] = [(module.__name__, vars(module)) for module in modules]
        spaces += [(kind.__name__, vars(kind)) for kind in classes]
        #: Every function and class, by where it stands and its name there.
        self.known = [
            (f"{space}.{name}", names, name, value)
            for space, names in spaces
            for name, value in list(names.items())
            if callable(value) and name != "_"
        ]
        written = [(label, value) for label, _, _, value in self.known if type(value) is FunctionType]
        #: What those consist of that are written in Python; compiled ones cannot be rewritten.
        self.written = [(label, function, parts(function)) for label, function in written]
        self.observers = list(testing.observers)

    def replaced(self) -> str | None:
        """The first function that is not what it was."""
        for label, names, name, value in self.known:
            if names.get(name) is not value:
                return label
        for label, function, (code, defaults, keywords, closure) in self.written:
            if (
                function.__code__ is not code
                or function.__defaults__ is not defaults
                or function.__kwdefaults__ is not keywords
                or function.__closure__ is not closure
            ):
                return label
        return None if testing.observers == self.observers else "hw.testing.observers"


def parts(function: FunctionType) -> tuple[Any, ...]:
    """What a function consists of."""
    return function.__code__, function.__defaults__, function.__kwdefaults__, function.__closure__


class Judge:
    """A plugin of pytest that reports what is collected, compared, and how each case ends."""

    def __init__(self, send: Send, tree: Path, instructions: dict[str, Any]) -> None:
        self.send, self.tree = send, tree
        self.only, self.skip = instructions["only"], set(instructions["skip"])
        self.names: dict[str, str] = {}
        self.task = ""  # that is tested now
        self.submitted: frozenset[str] = frozenset()  # the files that students edit
        self.writes: dict[str, str] = {}  # the functions that they write, and of which task each is
        self.broken = self.interrupted = False
        self.begun = 0.0
        self.ended: dict[str, Any] = {}
        if instructions["transcript"]:
            testing.observers.append(self.compared)
        self.witness = Witness()
        with suppress(UsageError):
            released = trees.manifest(tree) or {}
            self.submitted = frozenset(released.get("submitted", ()))
            self.writes = dict(released.get("blank", {}))

    def import_library(self, names: list[str]) -> None:
        """Import what every test needs; what goes wrong here is not the fault of a single test."""
        for name in names:
            try:
                module = importlib.import_module(name)
                origin = Path(module.__file__ or "").resolve()
                if self.tree.resolve() not in origin.parents:
                    raise ImportError(f"{name} was imported from {origin}, which is not in {self.tree}")
            except BaseException as error:
                self.report_broken(error)
                return
        self.send({"event": "imported"})

    def compared(
        self, line: str, of: str, found: Any, expected: Any, rtol: float, atol: float, dtype: str | None, varies: bool
    ) -> None:
        """Report a comparison, so that it can be made again outside."""
        pair = [records.encode(limited(value)) for value in (found, expected)]
        rules = {"rtol": rtol, "atol": atol, "dtype": dtype, "varies": varies}
        self.send({"event": "compared", "line": line, "of": of, "found": pair[0], "expected": pair[1], **rules})

    def report_broken(self, error: BaseException) -> None:
        """Report that something could not be imported."""
        self.broken = True
        self.send({"event": "broken", "text": self.explained(error)})

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Report the cases, and keep those that are asked for.

        A case is named by its place among those of its test: pytest's names may hold an object's address.
        """
        cases = []
        counts: dict[str, int] = {}
        for item in items:
            name = f"{item.path.parent.name}/{item.path.name}::{item.nodeid.split('::', 1)[1].partition('[')[0]}"
            counts[name] = counts.get(name, 0) + 1
            self.names[item.nodeid] = f"{name}[{counts[name]}]"
            function = getattr(item, "function", None)
            test = getattr(item, "originalname", None) or item.name
            case = {"id": self.names[item.nodeid], "test": test, "parameters": parameters(item)}
            cases.append({**case, "hint": getattr(function, "hint", None)})
        self.send({"event": "collected", "cases": cases})
        chosen = [item for item in items if self.only is None or self.names[item.nodeid] in self.only]
        items[:] = [item for item in chosen if self.names[item.nodeid] not in self.skip]
        gc.freeze()  # no collection in a test looks through what is there by now

    def pytest_exception_interact(self, node: Any, call: Any) -> None:
        """Report a test file that cannot be imported."""
        if not isinstance(node, pytest.Item):
            error = call.excinfo.value
            if isinstance(error, pytest.Collector.CollectError) and error.__cause__ is not None:
                error = error.__cause__
            self.report_broken(error)

    def pytest_internalerror(self, excinfo: Any) -> None:
        """Report what ended the collection: SystemExit, for instance."""
        self.interrupted = True
        self.report_broken(excinfo.value)

    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        """Report a KeyboardInterrupt that student's code raised."""
        self.interrupted = True
        self.report_broken(excinfo.value)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Report that a case begins."""
        self.ended = {"event": "end", "case": self.names[item.nodeid], "outcome": "failed", "text": "", "printed": ""}
        self.task = item.path.stem.removeprefix("test_")
        self.send({"event": "start", "case": self.names[item.nodeid]})
        random.seed(0)
        np.random.seed(0)
        self.begun = time.perf_counter()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Iterator[None]:
        """Note how a part of a case ended."""
        outcome: Any = yield
        report = outcome.get_result()
        if call.when == "call":
            self.ended["seconds"] = time.perf_counter() - self.begun
            self.ended["outcome"] = report.outcome
            self.ended["printed"] = report.capstdout[-LONGEST_TEXT:]
        if call.excinfo is not None:
            error = call.excinfo.value
            self.ended["outcome"] = "failed"
            self.ended["text"] = self.explained(error)
            if isinstance(error, NotImplementedError):
                self.ended["missing"] = text_of(error)
            if isinstance(error, testing.Mismatch):
                self.ended["mistake"] = error.mistake
        if call.when == "teardown":
            replaced = self.witness.replaced()
            if replaced is not None:
                text = f"{replaced} is not what it was when the test began: tests must be left as they are."
                self.ended |= {"outcome": "failed", "text": text, "tampered": replaced}
            self.send(self.ended)

    def explained(self, error: BaseException) -> str:
        """A failure in words: what did not match, or the error and where in the student's code it came from."""
        if isinstance(error, testing.Mismatch):
            return str(error)[:LONGEST_TEXT]
        if isinstance(error, SyntaxError) and error.filename:
            line = (error.text or "").strip()
            text = f"{self.relative(error.filename)}, line {error.lineno}:\n    {line}\n{text_of(error)}"
            return text[:LONGEST_TEXT]
        name, message = type(error).__qualname__, text_of(error)
        said = testing.wrap(f"{name}: {message}" if message else name)
        return (self.where(error.__traceback__) + said)[:LONGEST_TEXT]

    def where(self, tb: TracebackType | None) -> str:
        """Some of the places inside the tree that an error came through: the student's own, and the last ones.

        The student's own are the innermost in a function of this task, and in a file that students edit.
        """
        places: list[str] = []
        in_task = in_file = None
        for frame, number in traceback.walk_tb(tb):
            file = frame.f_code.co_filename
            if self.inside(file) and Path(file) != Path(testing.__file__):
                line = linecache.getline(file, number).strip()
                line = line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 3]}..."
                name, relative = getattr(frame.f_code, "co_qualname", frame.f_code.co_name), self.relative(file)
                if self.writes.get(f"{relative}:{name}") == self.task:
                    in_task = len(places)
                if relative in self.submitted:
                    in_file = len(places)
                places.append(f"{relative}:{number} in {name}\n    {line}\n")
        shown: set[int] = set()
        for each in (in_task, in_file, *reversed(range(len(places)))):
            if each is not None and len(shown) < MOST_PLACES:
                shown.add(each)
        text = ""
        for each in sorted(shown):
            text += "...\n" if text and each - 1 not in shown else ""
            text += places[each]
        return text

    def inside(self, file: str) -> bool:
        """Whether a file belongs to the tree."""
        return self.tree in Path(file).parents and "site-packages" not in file and Path(file) != Path(__file__)

    def relative(self, file: str) -> str:
        """The path of a file, from the tree's root."""
        path = Path(file)
        return path.relative_to(self.tree).as_posix() if self.tree in path.parents else path.name


def parameters(item: Any) -> str:
    """The parameters of a case, as ``shape=(2, 3)``."""
    parts = []
    for name, value in getattr(getattr(item, "callspec", None), "params", {}).items():
        try:
            text = " ".join(repr(value).split())
        except Exception as error:
            text = f"<{type(error).__name__}>"
        if text.startswith("<") or len(text) > 50:  # a function, or a large array: the failure shows what was given
            continue
        parts.append(f"{name}={text}")
    return ", ".join(parts)


def text_of(error: BaseException) -> str:
    """The message of an error, also if it cannot be made."""
    try:
        return str(error)[:LONGEST_TEXT]
    except Exception as other:
        return f"<no message: {type(other).__name__}>"


def limited(value: Any) -> Any:
    """A plain value, or a Stranger in place of one that is too large to be passed on."""
    return value if size(value) <= LARGEST_VALUE else testing.Stranger(f"value of {size(value) >> 20} MB")


def size(value: Any) -> int:
    """About how many bytes a plain value has."""
    if isinstance(value, np.ndarray):
        return int(value.nbytes) + 64
    if isinstance(value, (list, dict)):
        return sum(size(each) + 64 for each in (value.values() if isinstance(value, dict) else value))
    return len(value) if isinstance(value, str) else 64


if __name__ == "__main__":
    main()
