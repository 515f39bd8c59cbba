"""``verify``: the graders are graded, with the solution, with blanks, and with answers known to be wrong or right.

``hw/hw1/wrong/<task>/<what>.py`` and ``hw/hw1/right/<what>.py`` (or a folder of such files) hold answers: a docstring
that says what is wrong or different, ``FILE = "python/needle/..."``, and functions under their qualified names, classes
being nothing but containers. Their bodies replace those of the solution, with the imports of the answer's own module.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from . import UsageError, trees
from .assignment import Assignment, Task, load
from .blanking import task_in
from .functions import functions, put, replaced
from .grades import Grade
from .grading import Grader, grader, problem
from .images import Image
from .packing import hidden_tests
from .running import Report

#: What part of the wrong answers has to lose points.
CAUGHT = 0.95
#: How many trees are judged at the same time, if there are as many cores.
WORKERS = 4
#: Errors that a mistake in writing an answer down makes, rather than the mistake that it shows.
DEFECT = r"(?m)^(NameError|ImportError|ModuleNotFoundError|SyntaxError|UnboundLocalError)\b"

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Answer:
    """A wrong or right answer that the staff keeps."""

    name: str
    what: str  # its docstring
    donors: Mapping[str, str]  # by the file that they go into


def run(args: argparse.Namespace) -> int:
    """``verify``: say what holds and what does not; status 1 if anything does not."""
    root = trees.root()
    assignment = load(args.assignment, root)
    tasks = [assignment.task(args.only)] if args.only else list(assignment.tasks)
    begun = time.monotonic()
    with grader(assignment, root, hidden_tests(assignment, None)) as judge:
        cases = len(judge.reference)
        print(f"The solution gets full points: {cases} cases in {len(assignment.tasks)} tasks.", flush=True)
        complaints: list[str] = []
        if not args.only:
            complaints += said("A fresh release fails by what is not written, and by nothing else.", blanks(judge))
            complaints += said("Solving task after task gives their points, one after another.", ladder(judge, root))
        complaints += wrong_answers(judge, tasks)
        if not args.only:
            complaints += right_answers(judge)
    print(f"{time.monotonic() - begun:.0f} seconds.")
    return 1 if complaints else 0


def said(promise: str, complaints: list[str]) -> list[str]:
    """Print a promise that holds, or why it does not."""
    print(promise if not complaints else f"Not so: {promise}", *complaints, sep="\n  ", flush=True)
    return complaints


def blanks(judge: Grader) -> list[str]:
    """Cases of a fresh release that pass, or that fail by something else than a blank."""
    complaints = []
    for task, kind, report in every_test(judge, judge.blank):
        names = {task.name, *needed(judge.assignment, task)}
        cases = [case for case in report.cases if case.name.startswith(f"{kind}/test_{task.name}.py::")]
        if report.broken:
            complaints.append(f"{kind}, {task.name}: {report.broken}")
        for case in cases:
            blank = task_in(case.missing) if case.missing else None
            if case.passed or blank is None or blank[0] != judge.assignment.name or blank[1] not in names:
                what = "passes" if case.passed else (case.text.splitlines() or ["fails"])[-1]
                complaints.append(f"{case.name}: {what}")
        own = [case for case in cases if case.missing and task_in(case.missing) == (judge.assignment.name, task.name)]
        if cases and not own:
            complaints.append(f"{kind}, {task.name}: no case names the task.")
    return complaints


def needed(assignment: Assignment, task: Task) -> Iterator[str]:
    """The tasks that a task needs, and those that they need."""
    for name in task.needs:
        yield name
        yield from needed(assignment, assignment.task(name))


def every_test(judge: Grader, image: Image) -> Iterator[tuple[Task, str, Report]]:
    """All tests on a tree that is trusted, a process a kind."""
    for kind in judge.kinds:
        tasks = [task for task in judge.assignment.tasks if judge.worth(task, kind)]
        report = judge.run_tests(image, kind, tasks, 300.0)
        for task in tasks:
            yield task, kind, report


def ladder(judge: Grader, root: Path) -> list[str]:
    """Tasks that do not get their points when they and those before them are solved, or get them too early."""
    names = [task.name for task in judge.assignment.tasks]
    steps = [names[: count + 1] for count in range(len(names))]
    return [each for found in at_once(lambda solved: step(judge, root, solved), steps) for each in found]


def step(judge: Grader, root: Path, solved: list[str]) -> list[str]:
    """What is wrong with the points when these tasks are solved."""
    complaints = []
    for each, kind, report in every_test(judge, judge.released(root, solved)):
        told = {case.name: case for case in report.cases}
        problems = [problem(told.get(case.name), case, report) for case in judge.cases(each, kind)]
        full = all(why is None for why in problems)
        if each.name in solved and not full:
            why = next(why for why in problems if why is not None).splitlines()[0]
            complaints.append(f"with {solved[-1]} solved, {each.name} ({kind}) loses points: {why}")
        elif each.name not in solved and full:
            complaints.append(f"with {solved[-1]} solved, {each.name} ({kind}) gets full points already")
    return complaints


def at_once(work: Callable[[T], R], things: Iterable[T]) -> Iterator[R]:
    """Do the same work on several things at the same time; what comes of it, in order."""
    with ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1)) as pool:
        yield from pool.map(work, things)


def wrong_answers(judge: Grader, tasks: list[Task]) -> list[str]:
    """Wrong answers that lose no points."""
    unnoticed, defective = [], []
    kept = [(task, answer) for task in tasks for answer in answers(judge.assignment.folder / "wrong" / task.name)]
    count = len(kept)
    all_lost = at_once(lambda each: lost_by(judge, each[1], [each[0]], first=True), kept)
    for (task, answer), lost in zip(kept, all_lost):
        if not lost:
            unnoticed.append(f"{task.name}/{answer.name}: {answer.what}")
        elif any(re.search(DEFECT, each) for each in lost):
            defective.append(f"{task.name}/{answer.name}: {lost[0].splitlines()[-1]}")
    if count == 0:
        said("Wrong answers lose points.", unnoticed := ["There are none."])
        return unnoticed
    print(f"{count - len(unnoticed)} of {count} wrong answers lose points in their task.", flush=True)
    if unnoticed:
        print("Not noticed:", *unnoticed, sep="\n  ")
    if defective:
        print("Wrong only in that they do not run:", *defective, sep="\n  ")
    return [*(unnoticed if count - len(unnoticed) < CAUGHT * count else []), *defective]


def right_answers(judge: Grader) -> list[str]:
    """Right answers that lose points."""
    found = list(answers(judge.assignment.folder / "right"))
    all_lost = at_once(lambda answer: lost_by(judge, answer, list(judge.assignment.tasks)), found)
    complaints = [f"{answer.name}: {each}" for answer, lost in zip(found, all_lost) for each in lost]
    return said(f"{len(found)} right answers, written differently, get full points.", complaints)


def lost_by(judge: Grader, answer: Answer, tasks: list[Task], first: bool = False) -> list[str]:
    """What an answer loses points by; only the first, if that is enough."""
    image, wrong = judge.with_submitted(bodies_of(answer, judge.solution), judge.solution)
    if wrong is not None:
        raise UsageError(f"{answer.name} does not compile:\n{wrong}")
    lost = []
    for kind in judge.kinds:
        for task in tasks:
            if judge.worth(task, kind):
                report = judge.tested(image, kind, task, time.monotonic())
                outcome = judge.outcome(task, kind, report, {}, Grade(answer.name, judge.assignment))
                if not outcome.full:
                    told = {case.name: case for case in report.cases}
                    cases = judge.cases(task, kind)
                    why = next(why for case in cases if (why := problem(told.get(case.name), case, report)))
                    lost.append(f"{task.name} ({kind}): {why}")
                    if first:
                        return lost
    return lost


def answers(folder: Path) -> Iterator[Answer]:
    """The answers in a folder: a file each, or a folder of files that belong together."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        files = [path] if path.suffix == ".py" else sorted(path.glob("*.py")) if path.is_dir() else []
        files = [file for file in files if file.name != "__init__.py"]
        if not files or path.name.startswith((".", "__")):
            continue
        sources = [read_answer(file) for file in files]
        yield Answer(path.stem, sources[0][1], {target: donor for target, _, donor in sources})


def read_answer(path: Path) -> tuple[str, str, str]:
    """The file that an answer goes into, its docstring, its source."""
    source = path.read_text(encoding="utf-8")
    module = ast.parse(source, str(path))
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "FILE":
            return str(ast.literal_eval(node.value)), (ast.get_docstring(module) or "").strip(), source
    raise UsageError(f"{path} does not say FILE = ..., the file that its functions go into.")


def bodies_of(answer: Answer, solution: Image) -> dict[str, bytes]:
    """The files of the solution with an answer's bodies in them."""
    changed = {}
    for file, source in answer.donors.items():
        text = solution[file].decode()
        donor = with_imports(source)
        for name in dict.fromkeys(function.name for function in functions(donor, answer.name)):
            text = put(text, file, name, donor, body_only=True)
        changed[file] = text.encode()
    return changed


def with_imports(source: str) -> str:
    """The source with its imports in each body that uses them: the file that a body goes into has others."""
    imports: dict[str, str] = {}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)) and getattr(node, "module", "") != "__future__":
            text = " ".join((ast.get_source_segment(source, node) or "").split())
            imports |= {(alias.asname or alias.name).partition(".")[0]: text for alias in node.names}
    parts = []
    for function in functions(source, "an answer"):
        body = ast.parse(f"if True:\n{source[function.body : function.end]}" if function.indent else "")
        used = {node.id for node in ast.walk(body) if isinstance(node, ast.Name)}
        lines = dict.fromkeys(text for name, text in imports.items() if name in used)
        parts.append((function.body, function.body, "".join(f"{function.indent}{line}\n" for line in lines)))
    return replaced(source, parts)
