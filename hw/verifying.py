"""``verify``: the graders are graded, with the solution, with blanks, and with answers known to be wrong or right."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from . import UsageError, trees
from .answers import Answer, kept, put_into
from .assignment import Assignment, Task, load
from .blanking import task_in
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


def every_test(judge: Grader, image: Image, among: int | None = None) -> Iterator[tuple[Task, str, Report]]:
    """All tests, or those of the first tasks, on a tree that is trusted, a process a kind."""
    for kind in judge.kinds:
        tasks = [task for task in judge.assignment.tasks[:among] if judge.worth(task, kind)]
        report = judge.run_tests(image, kind, tasks, 300.0)
        for task in tasks:
            yield task, kind, report


def ladder(judge: Grader, root: Path) -> list[str]:
    """Tasks that do not get their points when they and those before them are solved, or get them too early."""
    names = [task.name for task in judge.assignment.tasks]
    steps = [names[: count + 1] for count in range(len(names))]
    return [each for found in at_once(lambda solved: step(judge, root, solved), steps) for each in found]


def step(judge: Grader, root: Path, solved: list[str]) -> list[str]:
    """What is wrong with the points when these tasks are solved: theirs, and the next one's.

    Those after the next need not be looked at: what they get with less solved they get with more, when they are next.
    """
    complaints = []
    for each, kind, report in every_test(judge, judge.released(root, solved), among=len(solved) + 1):
        why = why_lost(judge, each, kind, report)
        if each.name in solved and why is not None:
            complaints.append(f"with {solved[-1]} solved, {each.name} ({kind}) loses points: {why.splitlines()[0]}")
        elif each.name not in solved and why is None:
            complaints.append(f"with {solved[-1]} solved, {each.name} ({kind}) gets full points already")
    return complaints


def at_once(work: Callable[[T], R], things: Iterable[T]) -> Iterator[R]:
    """Do the same work on several things at the same time; what comes of it, in order."""
    with ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1)) as pool:
        yield from pool.map(work, things)


def wrong_answers(judge: Grader, tasks: list[Task]) -> list[str]:
    """Wrong answers that lose no points."""
    unnoticed, defective = [], []
    wrong = [(task, answer) for task in tasks for answer in kept(judge.assignment, f"wrong/{task.name}")]
    count = len(wrong)
    all_lost = at_once(lambda each: lost_by(judge, each[1], each[0]), wrong)
    for (task, answer), lost in zip(wrong, all_lost):
        if lost is None:
            unnoticed.append(f"{task.name}/{answer.name}: {answer.what}")
        elif re.search(DEFECT, lost):
            defective.append(f"{task.name}/{answer.name}: {lost.splitlines()[-1]}")
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
    found = list(kept(judge.assignment, "right"))

    def complaints_of(answer: Answer) -> list[str]:
        reports = every_test(judge, image_of(judge, answer))
        lost = [(f"{task.name} ({kind})", why_lost(judge, task, kind, report)) for task, kind, report in reports]
        return [f"{answer.name}: {where}: {why}" for where, why in lost if why is not None]

    complaints = [each for of_one in at_once(complaints_of, found) for each in of_one]
    return said(f"{len(found)} right answers, written differently, get full points.", complaints)


def lost_by(judge: Grader, answer: Answer, task: Task) -> str | None:
    """What an answer to a task loses points by, first of all; None if it loses none."""
    image = image_of(judge, answer)
    for kind in judge.kinds:
        if judge.worth(task, kind):
            why = why_lost(judge, task, kind, judge.tested(image, kind, task, time.monotonic(), first_failure=True))
            if why is not None:
                return why
    return None


def image_of(judge: Grader, answer: Answer) -> Image:
    """The solution with an answer in it."""
    image, wrong = judge.with_submitted(put_into(judge.solution, answer), judge.solution)
    if wrong is not None:
        raise UsageError(f"{answer.name} does not compile:\n{wrong}")
    return image


def why_lost(judge: Grader, task: Task, kind: str, report: Report) -> str | None:
    """Why the first case of a task's tests that does not count does not; None if all do."""
    told = {case.name: case for case in report.cases}
    problems = (problem(told.get(case.name), case, report) for case in judge.cases(task, kind))
    return next((why for why in problems if why is not None), None)
