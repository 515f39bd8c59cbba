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
    wrong = [(task, answer) for task in tasks for answer in kept(judge.assignment, f"wrong/{task.name}")]
    count = len(wrong)
    all_lost = at_once(lambda each: lost_by(judge, each[1], [each[0]], first=True), wrong)
    for (task, answer), lost in zip(wrong, all_lost):
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
    found = list(kept(judge.assignment, "right"))
    all_lost = at_once(lambda answer: lost_by(judge, answer, list(judge.assignment.tasks)), found)
    complaints = [f"{answer.name}: {each}" for answer, lost in zip(found, all_lost) for each in lost]
    return said(f"{len(found)} right answers, written differently, get full points.", complaints)


def lost_by(judge: Grader, answer: Answer, tasks: list[Task], first: bool = False) -> list[str]:
    """What an answer loses points by; only the first, if that is enough."""
    image, wrong = judge.with_submitted(put_into(judge.solution, answer), judge.solution)
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
