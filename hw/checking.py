"""``check``: the public tests of a task, or of all, and what to look at when one fails."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from . import UsageError, trees
from .assignment import Assignment, Task, earlier, load
from .blanking import task_in
from .choosing import CASE
from .running import Case, Report, run_tests, student_environment
from .testing import wrap

#: Seconds for the tests of a task.
TIME = 60.0
HINTS = f"{trees.FOLDER}/hints.json"
WIDTH = 80


@dataclass
class Result:
    """What came of the public tests of a task."""

    assignment: Assignment
    task: Task
    report: Report

    @property
    def points(self) -> float:
        """The points that the public tests give."""
        tests = self.report.tests().values()
        return self.task.points * sum(all(case.passed for case in cases) for cases in tests) / max(1, len(tests))

    @property
    def done(self) -> bool:
        """Whether all public tests pass."""
        return bool(self.report.cases) and all(case.passed for case in self.report.cases)

    def first_failure(self) -> Case | None:
        """The first case that does not pass: tests and their cases are in order, small ones first."""
        return next((case for case in self.report.cases if not case.passed), None)

    def number(self, case: Case) -> int:
        """The number by which ``--case`` knows a case."""
        return self.report.cases.index(case) + 1


def run(args: argparse.Namespace) -> int:
    """``check``: run the tests, say what to do next; status 0 if all pass."""
    root = trees.root()
    released = trees.released_manifest(root)
    assignment = load(released["assignment"], root)
    if args.task is None:
        for option in ("case", "pdb", "debug", "hint"):
            if getattr(args, option):
                raise UsageError(f"--{option} goes with a task: python -m hw check TASK --{option}")
    if args.hint:
        return show_hint(root, assignment.task(args.task))
    trees.refuse_foreign(root)
    if args.packed and (args.pdb or args.debug):
        raise UsageError("--packed checks a copy; --pdb and --debug go without it.")
    with the_tree(root, assignment, args.packed) as tree:
        before = earlier(assignment, root) if args.earlier else []
        for each in (each for each in before if each.build and not assignment.build):
            print(f"{each.name} is checked in a tree of its own: here its C++ is not built.\n")
        assignments = [*(each for each in before if assignment.build or not each.build), assignment]
        if args.task is None:
            compiled = not any(map(assignment.is_built, assignment.tasks)) or build(tree)
            return max([check_all(each, tree, compiled) for each in assignments])
        found = [each for each in assignments if args.task in task_names(each)] or [assignment]
        task = found[-1].task(args.task)
        if found[-1].is_built(task) and not build(tree):
            return 1
        return check_task(found[-1], task, tree, args)


def build(tree: Path) -> bool:
    """Compile what has changed; what the compiler said is printed. Whether it went well."""
    error = trees.build(tree)
    if error:
        print(f"The C++ code does not compile:\n\n{indented(error)}\n")
    return not error


def task_names(assignment: Assignment) -> set[str]:
    """What a task may be called."""
    return {name for task in assignment.tasks for name in (task.name, str(task.number))}


@contextmanager
def the_tree(root: Path, assignment: Assignment, packed: bool) -> Any:
    """The tree to check: the student's, or a clean one with what was packed in it."""
    if not packed:
        yield root
        return
    archive = root / f"{assignment.name}.zip"
    if not archive.is_file():
        raise UsageError(f"There is no {archive.name}; make it with: python -m hw pack")
    with tempfile.TemporaryDirectory(prefix="needle-hw-") as folder:
        tree = Path(folder).resolve() / "tree"
        trees.clean_copy(root, tree)
        try:
            with ZipFile(archive) as file:
                for name in assignment.files:
                    if name in file.namelist():
                        (tree / name).write_bytes(file.read(name))
        except (BadZipFile, OSError) as error:
            raise UsageError(f"{archive.name} cannot be read ({error}); make it with: python -m hw pack") from None
        print(f"Checking what is in {archive.name}, in a clean tree.\n")
        yield tree


def public_test(assignment: Assignment, task: Task) -> str:
    """The file of a task's public tests."""
    return f"hw/{assignment.name}/tests/test_{task.name}.py"


def check(assignment: Assignment, task: Task, tree: Path, only: Sequence[str] | None = None) -> Result:
    """Run the public tests of a task."""
    environment = student_environment(tree, assignment.backend)
    file, imports = public_test(assignment, task), assignment.imports
    report = run_tests(tree, [file], environment, seconds=TIME, only=only, imports=imports)
    return Result(assignment, task, report)


def check_all(assignment: Assignment, tree: Path, compiled: bool) -> int:
    """Run the public tests of all tasks, and show a line for each; of none that would use C++ from an earlier build."""
    print(f"{assignment.name}  {assignment.title}\n")
    results: dict[str, Result] = {}
    wide = max(len(task.name) for task in assignment.tasks)
    for task in assignment.tasks:
        if compiled or not assignment.is_built(task):
            result = check(assignment, task, tree)
            state = state_of(result, [name for name in task.needs if not results[name].done])
        else:
            result, state = Result(assignment, task, Report()), "does not compile"
        results[task.name] = result
        points = f"{round(result.points, 2):g} / {task.points:g}"
        line = f"  {task.number:2}  {task.name:{wide}}  {points:>9}   "
        print(line + shortened(state, WIDTH - len(line)), flush=True)
    total = sum(result.points for result in results.values())
    hidden = sum(task.hidden_points for task in assignment.tasks)
    line = f"\n{round(total, 2):g} of {sum(task.points for task in assignment.tasks):g} points."
    print(line + (f" Hidden tests give {hidden:g} more when it is graded." if hidden else ""))
    broken = next((result.report.broken for result in results.values() if result.report.broken), None)
    if broken and not any(result.report.imported for result in results.values()):
        print(f"\nThe code in this tree cannot be imported:\n\n{indented(broken)}")
    left = [result for result in results.values() if not result.done]
    if left:
        print(f"Go on with: python -m hw check {left[0].task.name}")
    return 1 if left else 0


def state_of(result: Result, unfinished: Sequence[str]) -> str:
    """How far a task is, in a few words."""
    case = result.first_failure()
    if result.done:
        return "done"
    if case is None:
        return "cannot be imported" if result.report.broken else "has no tests"
    missing = task_in(case.missing) if case.missing else None
    own = (result.assignment.name, result.task.name)
    if unfinished and (missing not in (None, own) or not result.points):
        return f"first finish {unfinished[0]}"
    if missing == own:
        return "begun" if result.points else "not started"
    if missing is not None:
        return f"first finish {missing[1]}"
    return f"{case.test}: {summary(case)}"


def summary(case: Case) -> str:
    """A failure in a line: what `same` says first, or else the error, which stands last."""
    lines = [line for line in case.text.splitlines() if line.strip()] or ["failed"]
    return lines[-1] if lines[0][-1:] != ":" and ":" in lines[-1] and " in " in lines[0] else lines[0]


def shortened(text: str, width: int) -> str:
    """The text, with dots where it is too long."""
    return text if len(text) <= width else f"{text[: max(0, width - 3)]}..."


def indented(text: str) -> str:
    """The text, two columns to the right."""
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())


def check_task(assignment: Assignment, task: Task, tree: Path, args: argparse.Namespace) -> int:
    """Run the public tests of a task, and explain the first failure."""
    if args.pdb or args.debug:
        return debug(assignment, task, tree, args)
    only = None if args.case is None else [case_number(assignment, task, tree, args.case).name]
    result = check(assignment, task, tree, only)
    if result.report.broken and not result.report.cases:
        print(f"The tests of {task.name} cannot begin:\n\n{indented(result.report.broken)}")
        return 1
    if args.case is not None:
        case = result.report.cases[args.case - 1]
        if case.passed:
            print(f"Case {args.case}, {case.label}: passes.")
            print(printed(case), end="")
        else:
            print(failure(case, args.case, assignment, task))
        return 0 if case.passed else 1
    print(f"Task {task.number}, {task.name}: {task.title}")
    print(f"{round(result.points, 2):g} of {task.points:g} points\n")
    for name, cases in result.report.tests().items():
        print(f"  {mark(cases)}  {name.partition('::')[2]}{count(cases)}")
    case = result.first_failure()
    if case is None:
        print("\nDone." + (" Hidden tests will look further." if task.hidden_points else ""))
        return 0
    print()
    print(f"{failure(case, result.number(case), assignment, task)}")
    unfinished = needed_first(assignment, task, tree, case)
    if unfinished:
        print("\n" + wrap(f"This task builds on {', '.join(unfinished)}: first finish that."))
    return 1


def mark(cases: Sequence[Case]) -> str:
    """How a test went."""
    if all(case.passed for case in cases):
        return "pass"
    first = next(case for case in cases if not case.passed)
    return "----" if first.missing or first.outcome == "not run" else "FAIL"


def count(cases: Sequence[Case]) -> str:
    """How many cases pass, where it is not all or none."""
    passed = sum(case.passed for case in cases)
    return f"  ({passed} of {len(cases)} cases)" if 0 < passed < len(cases) else ""


def failure(case: Case, number: int, assignment: Assignment, task: Task) -> str:
    """Everything that helps with a failure: given, expected and found, where, the hint, how to see it again."""
    head = f"Case {number}, {case.label}:"
    parts = [head, indented(unwritten(case) or case.text or "It failed without saying why."), printed(case).rstrip()]
    if case.hint and not case.missing:
        parts.append(wrap(f"Hint: {case.hint}"))
    parts.append(f"See it again: python -m hw check {task.name} --case {number}")
    parts.append(f"Add --pdb{' or --debug' if assignment.has_library else ''} to step through it.")
    return "\n".join(part for part in parts if part)


def unwritten(case: Case) -> str:
    """Which function is not written yet, if that is why a case fails."""
    return wrap(f"Not written yet: {case.missing.partition(': ')[2]}") if case.missing and task_in(case.missing) else ""


def printed(case: Case) -> str:
    """The last lines that the student's code printed."""
    lines = case.printed.rstrip().splitlines()
    if not lines:
        return ""
    more = "" if len(lines) <= 20 else f", the last 20 of {len(lines)} lines"
    return f"Printed{more}:\n" + indented("\n".join(lines[-20:])) + "\n"


def needed_first(assignment: Assignment, task: Task, tree: Path, case: Case) -> list[str]:
    """Tasks that this one needs and that are not finished."""
    missing = task_in(case.missing) if case.missing else None
    if missing == (assignment.name, task.name):
        return []
    if missing is not None:
        return [missing[1]]
    if not task.needs:
        return []
    needs = {public_test(assignment, assignment.task(name)): name for name in task.needs}
    environment = student_environment(tree, assignment.backend)
    report = run_tests(tree, list(needs), environment, seconds=TIME, imports=assignment.imports)
    failing = {f"hw/{assignment.name}/{c.name.partition('::')[0]}" for c in report.cases if not c.passed}
    return [name for file, name in needs.items() if file in failing]


def case_number(assignment: Assignment, task: Task, tree: Path, number: int) -> Case:
    """The case of this number; it is not run."""
    report = check(assignment, task, tree, only=[]).report
    if report.broken and not report.cases:
        raise UsageError(f"The tests of {task.name} cannot begin:\n\n{indented(report.broken)}")
    if not 1 <= number <= len(report.cases):
        raise UsageError(f"{task.name} has the cases 1 to {len(report.cases)}; there is no case {number}.")
    return report.cases[number - 1]


def debug(assignment: Assignment, task: Task, tree: Path, args: argparse.Namespace) -> int:
    """Run a case in this process, without a time limit, under a debugger."""
    number = args.case
    if number is None:
        result = check(assignment, task, tree)
        case = result.first_failure()
        if case is None:
            print(f"No case of {task.name} fails; choose one with --case N.")
            return 0
        number = result.number(case)
    else:
        case = case_number(assignment, task, tree, number)
    print(f"Case {number}, {case.label}:")
    os.chdir(tree)
    os.environ.update(student_environment(tree, assignment.backend))
    trees.prefer(tree)
    options = ["-q", "-s", "-p", "no:cacheprovider", "-o", "addopts=", "--import-mode=importlib", "--assert=plain"]
    arguments = [*options, "-p", "hw.choosing", "--tb=short", f"--rootdir={tree}", public_test(assignment, task)]
    os.environ[CASE] = str(number)
    if args.debug:
        if not assignment.has_library:
            raise UsageError("The graph debugger is Needle's, which is not part of this tree; --pdb is.")
        from needle.debug.entering import run as run_under_debugger

        trees.count_as_students(tree)
        return run_under_debugger("pytest", arguments, is_module=True, commands=("step",))
    import pytest

    return int(pytest.main([*arguments, "--pdb"]))


def show_hint(root: Path, task: Task) -> int:
    """Show the next of a task's hints, after those that were shown before."""
    if not task.hints:
        print(f"There are no hints for {task.name} but those of its tests: python -m hw check {task.name}")
        return 0
    path = root / HINTS
    try:
        shown = json.loads(path.read_text(encoding="utf-8"))
        before = int(shown.get(task.name, 0))
    except (OSError, ValueError, TypeError, AttributeError):
        shown, before = {}, 0
    now = min(before + 1, len(task.hints))
    for number, text in enumerate(task.hints[:now], start=1):
        print(wrap(f"{number} of {len(task.hints)}: {text}"))
    path.write_text(json.dumps({**shown, task.name: now}) + "\n", encoding="utf-8")
    if before >= len(task.hints):
        print("These are all the hints.", file=sys.stderr)
    return 0
