"""``grade``: the public and hidden tests of a submission, run where they can do no harm, counted where they cannot lie.

A submission's files go into a clean tree; each task's tests run there, in a process of their own with limits. That
process is not believed. It reports what every test compared, found and expected; the same tests with the staff's
solution have told what there is to compare and what to expect; and the comparisons are made again here.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from . import UsageError, trees
from .assignment import Assignment, Task, every, load
from .blanking import task_in
from .building import Builder
from .checking import failure
from .grades import HIDDEN, PUBLIC, Grade, Outcome, line_of, table, write_csv, write_results
from .images import Image, compile_tree, read_image, remove, with_files, written
from .packing import hidden_tests
from .prepared import Pool
from .processes import Limits
from .releasing import release, tool_files
from .running import Case, Report, bare_environment, can_run_as, run_tests
from .submissions import Submission, assignment_of, read_submission
from .suspicions import suspicions
from .testing import difference

#: Seconds of computing that every task has, and how many times longer than the solution a submission may take.
LEAST_TIME, TIMES_SOLUTION = 10.0, 10.0
#: Seconds for a whole submission; Gradescope ends a container after ten minutes.
BUDGET = 420.0
SOLUTION_TIME = 200.0
#: Trees are written to memory if this much is free there: a container has less, and shares it with what runs.
LEAST_ROOM = 1 << 30
#: As whom root runs what it does not trust; no account of this number is needed.
STRANGER = 60999


def run(args: argparse.Namespace) -> int:
    """``grade``: grade one submission or a folder of them; status 0 if grading worked, whatever the points."""
    root, path = trees.root(), Path(args.submission)
    if not path.exists():
        raise UsageError(f"There is no {path}.")
    several = path.is_dir() and args.json is None and not is_submission(path, root)
    paths = sorted(p for p in path.iterdir() if p.suffix == ".zip" or p.is_dir()) if several else [path]
    if not paths:
        raise UsageError(f"{path} holds no submission: no zip and no folder.")
    assignment = chosen(args.assignment, paths[0], root)
    grades = []
    with grader(assignment, root, hidden_tests(assignment, args.hidden)) as judge:
        for each in paths:
            grade = judge.grade(read_submission(each, assignment.files))
            grades.append(grade)
            print(line_of(grade) if several else table(grade), flush=True)
    if args.json:
        write_results(grades[0], Path(args.json))
    if args.csv:
        write_csv(grades, Path(args.csv))
    return 0


def is_submission(folder: Path, root: Path) -> bool:
    """Whether a folder is one submission, rather than a folder of them."""
    names = {name for assignment in every(root) for name in assignment.files}
    return (folder / trees.FOLDER).exists() or any((folder / name).exists() for name in names)


def chosen(given: str | None, path: Path, root: Path) -> Assignment:
    """The assignment to grade: the given one, or what the submission says, or the only one."""
    known = [assignment.name for assignment in every(root)]
    name = given or assignment_of(path) or (known[0] if len(known) == 1 else None)
    if name is None:
        raise UsageError(f"{path.name} does not say which assignment it is of; add --assignment: {', '.join(known)}.")
    return load(name, root)


@contextmanager
def grader(assignment: Assignment, root: Path, hidden: Path | None) -> Iterator[Grader]:
    """A grader with a workplace, which is removed at the end."""
    mask = os.umask(0o022)
    workplace = Path(tempfile.mkdtemp(prefix="needle-grade-", dir=place_for_trees())).resolve()
    tool = {name: (root / name).read_bytes() for name in tool_files(root)}
    prepared = Pool(tool, bare_environment(workplace, assignment.backend, workplace), workplace)
    limits = Limits(user=STRANGER) if can_run_as(STRANGER, workplace) else Limits()
    builder = Builder(workplace, assignment.backend, limits.user)
    try:
        workplace.chmod(0o711)
        yield Grader(assignment, root, hidden, workplace, prepared, limits, builder)
    finally:
        prepared.close()
        builder.close()
        os.umask(mask)
        remove(workplace)


def place_for_trees() -> str | None:
    """Where trees are written: in memory, if there is a place for them; None for where temporary files go."""
    shared = "/dev/shm"
    if not (sys.platform == "linux" and os.access(shared, os.W_OK | os.X_OK)):
        return None
    found = os.statvfs(shared)
    return shared if found.f_bavail * found.f_frsize > LEAST_ROOM and not found.f_flag & os.ST_NOEXEC else None


class Grader:
    """Grades submissions of one assignment, after it has run the tests with the staff's solution.

    Parameters
    ----------
    assignment : Assignment
    root : Path
        The project.
    hidden : Path or None
        The folder of hidden tests.
    workplace : Path
        An empty folder, which other users can pass through but not list.
    prepared : Pool
        What runs the tests.
    limits : Limits
        What a process of theirs gets.
    builder : Builder
        What compiles C++.

    Raises
    ------
    UsageError
        If the solution itself does not pass, or a test compares nothing.
    """

    def __init__(
        self,
        assignment: Assignment,
        root: Path,
        hidden: Path | None,
        workplace: Path,
        prepared: Pool,
        limits: Limits,
        builder: Builder,
    ) -> None:
        self.assignment, self.workplace, self.prepared = assignment, workplace, prepared
        self.limits, self.builder = limits, builder
        self.folder = f"hw/{assignment.name}"
        self.hidden: Image = {}
        if hidden is not None:
            tests = ((path.relative_to(hidden), path) for path in sorted(hidden.rglob("*.py")))
            self.hidden = {f"{self.folder}/{HIDDEN}/{name.as_posix()}": path.read_bytes() for name, path in tests}
        self.kinds = [PUBLIC, *([HIDDEN] if self.hidden else [])]
        self.blank = self.released(root, [])
        self.solution = self.released(root, [task.name for task in assignment.tasks])
        self.reference: dict[str, Case] = {}
        self.time: dict[tuple[str, str], float] = {}
        for kind in self.kinds:
            self.learn(kind)

    def released(self, root: Path, solved: list[str]) -> Image:
        """A released tree, built and compiled."""
        with tempfile.TemporaryDirectory(dir=self.workplace) as folder:
            tree = Path(folder) / "tree"
            release(self.assignment, root, tree, solved)
            compile_tree(tree)
            image, error = self.built(read_image(tree))
        if error is not None:
            raise UsageError(f"The staff's own C++ code does not compile:\n{error}")
        return image

    def built(self, image: Image) -> tuple[Image, str | None]:
        """The tree with its extensions, if it has any; and what the compiler said, if it failed."""
        if not self.assignment.build:
            return image, None
        built, error = self.builder.build(image)
        return built, error or None

    def learn(self, kind: str) -> None:
        """Run all tests of a kind with the solution: what there is to compare, and how long it takes."""
        tasks = [task for task in self.assignment.tasks if self.worth(task, kind)]
        report = self.run_tests(self.solution, kind, tasks, SOLUTION_TIME)
        failing = [case for case in report.cases if not case.passed]
        if report.broken or failing:
            what = report.broken or f"{failing[0].name}: {failing[0].text}"
            raise UsageError(f"The staff's own solution does not pass on this machine:\n{what}")
        silent = [case.name for case in report.cases if not case.comparisons]
        if silent:
            raise UsageError(f"{silent[0]} compares nothing by `same` or `raises`, so that anything would pass it.")
        self.reference |= {case.name: case for case in report.cases}
        start = report.seconds - sum(case.seconds for case in report.cases)
        for task in tasks:
            cases = self.cases(task, kind)
            if not cases:
                raise UsageError(f"{self.folder}/{kind}/test_{task.name}.py holds no test.")
            self.time[task.name, kind] = max(LEAST_TIME, TIMES_SOLUTION * (start + sum(c.seconds for c in cases)))

    def worth(self, task: Task, kind: str) -> float:
        """The points that the tests of a kind can give."""
        return task.points if kind == PUBLIC else task.hidden_points

    def cases(self, task: Task, kind: str) -> list[Case]:
        """All cases of a task, with the solution's comparisons."""
        beginning = f"{kind}/test_{task.name}.py::"
        return [case for name, case in self.reference.items() if name.startswith(beginning)]

    def run_tests(
        self, image: Image, kind: str, tasks: list[Task], seconds: float, first_failure: bool = False
    ) -> Report:
        """Run tests of a kind in a tree, which is thrown away. Hidden tests are only where they run."""
        whole = {**image, **self.hidden} if kind == HIDDEN else image
        with written(whole, self.workplace, self.limits.user) as (tree, scratch):
            return run_tests(
                tree,
                [f"{self.folder}/{kind}/test_{task.name}.py" for task in tasks],
                bare_environment(tree, self.assignment.backend, scratch),
                seconds=seconds,
                limits=self.limits,
                transcript=True,
                imports=self.assignment.imports,
                first_failure=first_failure,
                start=self.prepared.run,
            )

    def grade(self, submission: Submission) -> Grade:
        """Grade a submission: all public tests first, then the hidden ones."""
        begun = time.monotonic()
        grade = Grade(submission.name, self.assignment, notes=list(submission.notes))
        grade.remarks = self.remarks(submission)
        unusable: dict[str, str] = {}
        image, problem = self.with_submitted(submission.files)
        for kind in self.kinds:
            for task in self.assignment.tasks:
                if self.worth(task, kind):
                    report = Report() if problem else self.tested(image, kind, task, begun)
                    if not grade.outcomes and not report.imported:
                        image, unusable = self.search(submission.files)
                        problem = None
                        report = self.tested(image, kind, task, begun)
                    grade.outcomes.append(self.outcome(task, kind, report, unusable, grade))
        for file, why in unusable.items():
            grade.notes.append(f"{file} cannot be used, and counts as not handed in:\n{why}")
        grade.seconds = time.monotonic() - begun
        return grade

    def tested(self, image: Image, kind: str, task: Task, begun: float, first_failure: bool = False) -> Report:
        """Run a task's tests, if there is time left for this submission."""
        left = BUDGET - (time.monotonic() - begun)
        if left < LEAST_TIME:
            return Report(broken="These tests were not run: others have used up the submission's time.", imported=True)
        return self.run_tests(image, kind, [task], min(self.time[task.name, kind], left), first_failure)

    def remarks(self, submission: Submission) -> list[str]:
        """What a reader should look at."""
        remarks = []
        for file, content in submission.files.items():
            if file.endswith(".py"):
                text = content.decode("utf-8", errors="replace")
                remarks += [f"{file}:{each}" for each in suspicions(text, self.blank[file].decode())]
        return remarks

    def search(self, files: Mapping[str, bytes]) -> tuple[Image, dict[str, str]]:
        """Find the submitted files that keep the tree from being built or imported.

        Returns
        -------
        tuple of Image and dict
            The tree without them, and why each was left out.
        """
        image, problem = self.tried(files)
        if problem is None:
            return image, {}
        for file in files:
            image, other = self.tried({name: text for name, text in files.items() if name != file})
            if other is None:
                return image, {file: problem}
        unusable: dict[str, str] = {}
        used: dict[str, bytes] = {}
        for file, text in files.items():
            _, problem = self.tried({**used, file: text})
            if problem is None:
                used[file] = text
            else:
                unusable[file] = problem
        return self.with_submitted(used)[0], unusable

    def tried(self, files: Mapping[str, bytes]) -> tuple[Image, str | None]:
        """The tree with these files, and why it cannot be built or imported; None if it can."""
        image, problem = self.with_submitted(files)
        if problem is not None:
            return image, problem
        report = self.run_tests(image, PUBLIC, [], LEAST_TIME)
        return image, None if report.imported else report.broken or "Importing it ended the process."

    def with_submitted(self, files: Mapping[str, bytes], others: Image | None = None) -> tuple[Image, str | None]:
        """The tree with these files, the others as they are released; and what the compiler said, if it failed."""
        return self.built(with_files(others or self.blank, files))

    def outcome(self, task: Task, kind: str, report: Report, unusable: Mapping[str, str], grade: Grade) -> Outcome:
        """Count the tests of a task that hold."""
        cases = self.cases(task, kind)
        told = {case.name: case for case in report.cases}
        problems = {case.name: problem(told.get(case.name), case, report) for case in cases}
        tests: dict[str, list[str | None]] = {}
        for case in cases:
            tests.setdefault(case.function, []).append(problems[case.name])
        passed = sum(all(each is None for each in found) for found in tests.values())
        best = self.worth(task, kind)
        outcome = Outcome(task, kind, round(best * passed / len(tests), 2), best, passed, len(tests))
        where = f"{task.name} ({'public' if kind == PUBLIC else 'hidden'})"
        if report.left_behind:
            grade.remarks.append(f"{where}: {report.left_behind} processes were left behind.")
        if report.strange:
            grade.remarks.append(f"{where}: {report.strange} lines of somebody else in the judge's report.")
        tampered = next((case.tampered for case in report.cases if case.tampered), None)
        if tampered:
            grade.remarks.append(f"{where}: {tampered} was changed during a test.")
        missing = sorted({function.file for function in task.functions} & set(unusable))
        outcome.text = self.text(outcome, report, told, problems, missing)
        return outcome

    def text(
        self,
        outcome: Outcome,
        report: Report,
        told: Mapping[str, Case],
        problems: Mapping[str, str | None],
        missing: list[str],
    ) -> str:
        """What a student may read: of public tests the first failure of each, of hidden ones only how many fail."""
        parts = [f"{outcome.passed} of {outcome.tests} tests pass."]
        if outcome.full:
            return parts[0]
        if missing:
            parts.append(f"{', '.join(missing)} cannot be used; the reason stands above.")
        if outcome.kind == HIDDEN:
            return "\n\n".join(parts)
        if report.broken:
            return "\n\n".join([*parts, report.broken])
        unwritten: dict[str, None] = {}
        shown: set[str] = set()
        failures = []
        for number, (name, why) in enumerate(problems.items(), start=1):
            test = name.partition("[")[0]
            if why is None or test in shown:
                continue
            shown.add(test)
            case = told.get(name) or Case(name, test.partition("::")[2])
            if case.missing and task_in(case.missing) == (self.assignment.name, outcome.task.name):
                unwritten[case.missing.partition(": ")[2]] = None
            else:
                case.text = why
                failures.append(failure(case, number, self.assignment, outcome.task))
        if unwritten:
            parts.append("\n  ".join(["Not written yet:", *unwritten]))
        return "\n\n".join([*parts, *failures])


def problem(found: Case | None, known: Case, report: Report) -> str | None:
    """Why a case does not count; None if it does.

    The process that ran it must say that it passed; and the comparisons it reports must be those that the solution
    makes, with what the solution's tests expect, and hold when they are made again.
    """
    if found is None:
        return report.broken or "This test was not run."
    if not found.passed:
        return found.text or "It failed without saying why."
    if len(found.comparisons) != len(known.comparisons):
        return "The comparisons of this test were not all made, or others were made."
    for told, right in zip(found.comparisons, known.comparisons):
        if told.line != right.line:
            return "The comparisons of this test were not made where they stand."
        if not right.varies and difference(told.expected, right.expected, right.rtol, right.atol, None):
            return f"{right.of}: what the test expects was changed while it ran."
        different = difference(told.found, told.expected, right.rtol, right.atol, right.dtype)
        if different:
            return f"{right.of}: {different}, although the test said that it passed."
    return None
