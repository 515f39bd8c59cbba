"""Running the tests of a task in a child process, and reading its report: what `check`, `grade` and `verify` share.

A process that dies in the middle of a case costs that case's test; the remaining tests run in another process.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from . import UsageError, processes, records, trees
from .processes import Ended, Limits
from .testing import Stranger, wrap

#: How often a process may run out of time before the remaining tests are given up.
PATIENCE = 2


@dataclass
class Comparison:
    """A comparison that a case made, as its process told it."""

    line: str
    of: str
    found: Any
    expected: Any
    rtol: float
    atol: float
    dtype: str | None
    varies: bool


@dataclass
class Case:
    """A case of a test: one set of parameters."""

    name: str  # tests/test_divide.py::test_gradient[2]
    test: str
    parameters: str = ""  # shape=(2, 3)
    hint: str | None = None
    outcome: str = "not run"  # or passed, failed, ended (its process did), late
    text: str = ""
    printed: str = ""
    missing: str | None = None  # the message of a NotImplementedError
    mistake: str | None = None  # which of the test's plausible mistakes it looks like
    seconds: float = 0.0
    tampered: str | None = None
    comparisons: list[Comparison] = field(default_factory=list)

    @property
    def function(self) -> str:
        """The test function that the case belongs to, with its file."""
        return self.name.partition("[")[0]

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return f"{self.test}({self.parameters})" if self.parameters else self.test

    @property
    def passed(self) -> bool:
        """Whether it ended well."""
        return self.outcome == "passed"


@dataclass
class Report:
    """What came of the tests in some files."""

    cases: list[Case] = field(default_factory=list)
    broken: str | None = None  # why something could not be imported
    imported: bool = False
    seconds: float = 0.0
    strange: int = 0  # lines in the report that were not the judge's
    left_behind: int = 0  # processes
    late: int = 0  # processes that ran out of time

    def tests(self) -> dict[str, list[Case]]:
        """The cases by their test functions, in order."""
        found: dict[str, list[Case]] = {}
        for case in self.cases:
            found.setdefault(case.function, []).append(case)
        return found


def run_tests(
    tree: Path,
    files: Sequence[str],
    environment: dict[str, str],
    *,
    seconds: float | None = None,
    limits: Limits | None = None,
    transcript: bool = False,
    only: Collection[str] | None = None,
    imports: Sequence[str] = ("needle",),
    first_failure: bool = False,
    start: Callable[..., Ended] | None = None,
) -> Report:
    """Run tests in child processes, one after another as long as they die in the middle.

    Parameters
    ----------
    tree : Path
        The tree; the processes run in its root.
    files : sequence of str
        Test files, from the root. None: the imports are tried, and that is all.
    environment : dict
        The processes' environment.
    seconds : float, optional
        How long a process may take; with limits, how long it may compute.
    limits : Limits, optional
        For code that is not trusted.
    transcript : bool
        Whether comparisons are reported, rather than what was printed.
    only : collection of str, optional
        Names of cases.
    imports : sequence of str
        Modules without which no test can run; they must come from the tree.
    first_failure : bool
        Whether the cases after the first that fails need not run.
    start : callable, optional
        What starts a process, in place of `start_judge`.

    Returns
    -------
    Report
        All cases that there are, each with its outcome.
    """
    if find_spec("pytest") is None:
        raise UsageError(
            f"pytest is not installed for {sys.executable}; run `python -m hw setup` in a released tree, or: "
            "pip install 'needle-dl[hw]'"
        )
    report = Report()
    done: set[str] = set()
    while True:
        key = secrets.token_bytes(32)
        instructions: dict[str, Any] = {"key": key.hex(), "files": [*files], "imports": [*imports]}
        instructions |= {"only": None if only is None else sorted(only), "skip": sorted(done)}
        instructions |= {"transcript": transcript, "capture": not transcript, "first_failure": first_failure}
        ended = (start or start_judge)(tree, environment, json.dumps(instructions).encode(), seconds, limits)
        before = len(done)
        finished = read(report, ended, key, done)
        if finished or first_failure or report.broken is not None or len(done) == before or report.late >= PATIENCE:
            break
        if all(case.name in done or (only is not None and case.name not in only) for case in report.cases):
            break
    for case in report.cases:
        if case.outcome == "not run" and not finished:
            case.text = report.broken or "This test was not run: the tests before it took too long."
    return report


def start_judge(
    tree: Path, environment: Mapping[str, str], input: bytes, seconds: float | None, limits: Limits | None
) -> Ended:
    """Run the judge in a tree, in a process of its own."""
    command = [sys.executable, "-m", "hw.judging"]
    return processes.run(command, cwd=tree, env=environment, input=input, seconds=seconds, limits=limits)


def read(report: Report, ended: Ended, key: bytes, done: set[str]) -> bool:
    """Add to a report what a process told; whether it came to its end."""
    told, strange = records.opened(ended.output, key)
    report.seconds += ended.seconds
    report.strange += strange
    report.left_behind += ended.left_behind
    report.late += ended.timed_out
    known = {case.name: case for case in report.cases}
    current: Case | None = None
    why = ""
    finished = False
    for record in told:
        try:
            event = record["event"]
            if event == "imported":
                report.imported = True
            elif event == "broken" and current is not None:
                why = str(record["text"])
            elif event == "broken":
                report.broken = str(record["text"])
            elif event == "collected" and not report.cases:
                names = ("id", "test", "parameters", "hint")
                report.cases = [Case(*(each[name] for name in names)) for each in record["cases"]]
                known = {case.name: case for case in report.cases}
            elif event == "start":
                current = known[record["case"]]
                current.comparisons = []
            elif event == "compared" and current is not None:
                current.comparisons.append(comparison(record))
            elif event == "end" and current is not None and current.name == record["case"]:
                end(current, record)
                done.add(current.name)
                current = None
            elif event == "finished":
                finished = True
        except (KeyError, TypeError, ValueError):  # sealed, but no record of ours
            report.strange += 1
    if current is not None:
        current.outcome, current.text = ("late" if ended.timed_out else "ended"), why or how(ended)
        # The rest of this test can gain nothing.
        done |= {case.name for case in report.cases if case.function == current.function}
    elif not finished and not report.cases:
        report.broken = report.broken or f"Importing the code: {how(ended)}"
    return finished


def end(case: Case, record: dict[str, Any]) -> None:
    """Note how a case ended."""
    case.outcome = "passed" if record["outcome"] == "passed" else "failed"
    case.text, case.printed = str(record["text"]), str(record["printed"])
    case.missing, case.mistake = record.get("missing"), record.get("mistake")
    case.tampered = record.get("tampered")
    case.seconds = float(record.get("seconds", 0.0))


def comparison(record: dict[str, Any]) -> Comparison:
    """A comparison from its record; what cannot be read is something that is equal to nothing."""
    try:
        found, expected = records.decode(record["found"]), records.decode(record["expected"])
    except (ValueError, TypeError, KeyError, RecursionError):
        found = expected = Stranger("something unreadable")
    names = ("rtol", "atol", "dtype", "varies")
    return Comparison(str(record["line"]), str(record["of"]), found, expected, *(record[name] for name in names))


def how(ended: Ended) -> str:
    """How a process ended that should not have, in words."""
    if ended.timed_out:
        said = f"time is up after {ended.seconds:.0f} seconds; is there a loop that does not end?"
    elif ended.status < 0:
        try:
            name = signal.Signals(-ended.status).name
        except ValueError:
            name = f"signal {-ended.status}"
        reason = {"SIGSEGV": ": memory that is not there was used", "SIGKILL": ", perhaps for its memory"}.get(name, "")
        said = f"the process was ended by {name}{reason}."
    else:
        said = f"the process ended in the middle, with exit status {ended.status}; does something call exit()?"
    return wrap(said)


def student_environment(tree: Path, backend: str) -> dict[str, str]:
    """The environment of tests on a student's own machine."""
    environment = trees.environment(tree, backend) | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    return environment


def bare_environment(tree: Path, backend: str, scratch: Path) -> dict[str, str]:
    """The environment of tests of code that is not trusted: little, and always the same."""
    whole = trees.environment(tree, backend)
    kept = ("PYTHONPATH", "NEEDLE_BACKEND", "NEEDLE_FUSED", "PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")
    one = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NEEDLE_NUM_THREADS")
    fixed = {"LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
    fixed |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "MPLBACKEND": "Agg", **dict.fromkeys(one, "1")}
    fixed |= dict.fromkeys(("HOME", "TMPDIR", "TEMP", "TMP", "MPLCONFIGDIR"), str(scratch))
    return {name: whole[name] for name in kept if name in whole} | fixed


def can_run_as(user: int, tree: Path) -> bool:
    """Whether another user could run this Python in this tree; only root can start it so."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    try:
        ended = processes.run(
            [sys.executable, "-c", "import numpy, pytest"],
            cwd=tree,
            env={"OPENBLAS_NUM_THREADS": "1"},
            seconds=20,
            limits=Limits(user=user),
        )
    except OSError:
        return False
    return ended.status == 0
