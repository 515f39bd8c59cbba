"""Releasing: from the project and an assignment.toml to a tree in which a student works.

A released tree is made in a folder beside its target and moved there when it is whole.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import join, normpath

from . import UsageError, trees
from .assignment import BUILD_FILE, Assignment, FunctionName, earlier, every, load
from .blanking import blank, task_message, withheld_message
from .files import glob_matches, project_files
from .functions import functions, matching

#: The modules of the tool that a student may use; what releases, grades and verifies stays with the staff.
STUDENT_MODULES = (
    "__init__",
    "__main__",
    "assignment",
    "blanking",
    "changes",
    "checking",
    "choosing",
    "derivatives",
    "doctor",
    "files",
    "functions",
    "judging",
    "jupyter",
    "packing",
    "processes",
    "records",
    "running",
    "testing",
    "trees",
)

#: What is released of an assignment's own folder; all else stays with the staff: hidden tests, solutions.
RELEASED_PARTS = ("__init__.py", "assignment.toml", "README.md", "tests", "images")

#: What is never released.
STAFF_ONLY = ("tests/**", "docs/**", ".ci/**", "apps/bench/**", "hw/*/hidden/**", "hw/*/wrong/**", "hw/*/right/**")

TEMPLATES = {
    "Makefile": "Makefile",
    "pyproject.toml": "pyproject.toml",
    "launch.json": ".vscode/launch.json",
    "settings.json": ".vscode/settings.json",
    "gitignore": ".gitignore",
}


@dataclass
class Plan:
    """What a released tree holds, and what is blank in it."""

    copied: list[str]
    left_out: list[str]
    tasks: dict[FunctionName, str] = field(default_factory=dict)
    messages: dict[str, dict[FunctionName, str]] = field(default_factory=dict)  # by file

    def withheld(self) -> list[str]:
        """The functions that are blank and no task."""
        return [str(name) for names in self.messages.values() for name in names if name not in self.tasks]


def plan(assignment: Assignment, root: Path, solved: Collection[str] = ()) -> Plan:
    """Decide what to release: which files, and which functions are blank in them.

    Parameters
    ----------
    assignment : Assignment
        What is released.
    root : Path
        The project.
    solved : collection of str
        Tasks of the assignment whose functions are released as they are.

    Returns
    -------
    Plan
        Tasks first: a function that is part of a task is not withheld, whatever else names it. Functions of earlier
        assignments, and of solved tasks, are not blank either.
    """
    before = earlier(assignment, root)
    available = project_files(root, assignment.copies)
    left_out = [path for path in available if any(glob_matches(p, path) for p in assignment.leaves_out)]
    for pattern in assignment.leaves_out:
        if not any(glob_matches(pattern, path) for path in (*left_out, *apps(root))):
            raise UsageError(f"hw/{assignment.name}/assignment.toml: leaves_out: {pattern!r} fits no file")
    edited = {file for each in (*before, assignment) for file in each.files}
    copied = [path for path in (*available, *sorted(edited.difference(available))) if path not in left_out]
    decided = Plan(copied, left_out)
    open_functions = {name for each in before for task in each.tasks for name in task.functions}
    for task in assignment.tasks:
        if task.name in solved:
            open_functions.update(task.functions)
            continue
        for name in task.functions:
            decided.tasks[name] = task.name
            decided.messages.setdefault(name.file, {})[name] = task_message(assignment.name, task.name, name)
    later = [each for each in every(root) if each not in before and each.name != assignment.name]
    comes_with = {name: each.name for each in reversed(later) for task in each.tasks for name in task.functions}
    present, known = set(copied), {}
    for wanted in (*comes_with, *assignment.withholds):
        if wanted.file not in present:
            continue
        if wanted.file not in known:
            known[wanted.file] = functions(read(root / wanted.file), wanted.file)
        for function in matching(known[wanted.file], wanted):
            name = FunctionName(wanted.file, function.name)
            if name not in open_functions and not ("*" in wanted.name and function.trivial):
                message = withheld_message(name, comes_with.get(name, "a later assignment"))
                decided.messages.setdefault(name.file, {}).setdefault(name, message)
    return decided


def apps(root: Path) -> list[str]:
    """The programs of the project, of which only those are released that an assignment has a student edit."""
    return [path.relative_to(root).as_posix() for path in (root / "apps").rglob("*.py")]


def release(
    assignment: Assignment, root: Path, target: Path, solved: Collection[str] = (), notebook: bool = False
) -> None:
    """Make a released tree.

    Parameters
    ----------
    assignment : Assignment
        What is released.
    root : Path
        The project.
    target : Path
        The tree's folder; it must not exist, or be empty.
    solved : collection of str
        Tasks whose functions are released as they are in the library: all of them, for a solution.
    notebook : bool
        Whether the handout is put there as a notebook, too; no grader needs it.

    Raises
    ------
    UsageError
        If the target is not empty, or if something that the assignment names is not there.
    """
    with new_folder(target) as tree:
        fill(assignment, root, tree, solved, notebook)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `target` when all went well; otherwise nothing is left of it."""
    if target.is_dir() and any(target.iterdir()):
        raise UsageError(f"{target} is there already, and not empty.")
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".releasing-") as folder:
        tree = Path(folder) / "tree"
        tree.mkdir()
        yield tree
        if target.is_dir():
            target.rmdir()
        os.replace(tree, target)


def fill(assignment: Assignment, root: Path, tree: Path, solved: Collection[str] = (), notebook: bool = False) -> None:
    """Put everything into a new tree; `release` says what."""
    decided = plan(assignment, root, solved)
    for path in decided.copied:
        if path in decided.messages:
            write(tree / path, blank(read(root / path), path, decided.messages[path]))
        else:
            copy(root / path, tree / path)
    if assignment.build:
        copy(assignment.folder / BUILD_FILE, tree / BUILD_FILE)
    for name in tool_files(root):
        copy(root / name, tree / name)
    before = earlier(assignment, root)
    for each in (*before, assignment):
        copy_parts(each, tree)
    handout = assignment.folder / "README.md"
    if not handout.is_file():
        raise UsageError(f"hw/{assignment.name}/README.md, the handout, is missing")
    text = moved_links(read(handout), f"hw/{assignment.name}")
    write(tree / "README.md", text)
    if notebook:
        from .notebooks import notebook as made

        write(tree / f"{assignment.name}.ipynb", made(text, assignment))
    (tree / "hw" / assignment.name / "README.md").unlink()
    if (root / "LICENSE").is_file():
        copy(root / "LICENSE", tree / "LICENSE")
    tasks = ", ".join(f'"{task.name}"' for task in assignment.tasks)
    values = {"@NAME@": assignment.name, "@BACKEND@": assignment.backend, "@TASKS@": tasks}
    for source, place in TEMPLATES.items():
        text = read(Path(__file__).parent / "templates" / source)
        for mark, value in values.items():
            text = text.replace(mark, value)
        write(tree / place, text if assignment.has_library else without_debugger(place, text))
    finish(assignment, before, root, tree, decided)


def without_debugger(place: str, text: str) -> str:
    """A template for a tree without Needle: of what VS Code can launch, the graph debugger is missing."""
    if not place.endswith("launch.json"):
        return text
    launch = json.loads(text)
    launch["configurations"] = [each for each in launch["configurations"] if each.get("module") != "needle.debug"]
    return json.dumps(launch, indent=2) + "\n"


def tool_files(root: Path) -> list[str]:
    """The students' part of the tool."""
    names = [f"hw/{module}.py" for module in STUDENT_MODULES]
    return [name for name in names if (root / name).is_file()]


def copy_parts(assignment: Assignment, tree: Path) -> None:
    """Copy what a student gets of an assignment's own folder: public tests, assignment.toml, handout."""
    for task in assignment.tasks:
        test = assignment.folder / "tests" / f"test_{task.name}.py"
        if not test.is_file():
            raise UsageError(f"hw/{assignment.name}/tests/test_{task.name}.py, the test of a task, is missing")
    target = tree / "hw" / assignment.name
    for part in RELEASED_PARTS:
        source = assignment.folder / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*"))
        elif source.is_file():
            copy(source, target / part)


def finish(assignment: Assignment, before: list[Assignment], root: Path, tree: Path, decided: Plan) -> None:
    """Keep an untouched copy of all that was released, and write the manifest."""
    files = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())
    released = {
        "assignment": assignment.name,
        "version": version(root),
        "backend": assignment.backend,
        "build": assignment.build,
        "submitted": list(assignment.files),
        "edited": list(dict.fromkeys(file for each in (*before, assignment) for file in each.files)),
        "blank": {str(name): task for name, task in decided.tasks.items()},
        "withheld": decided.withheld(),
        "carried": {},
        "left_out": [*decided.left_out, *STAFF_ONLY],
        "files": {path: trees.sha256(tree / path) for path in files},
    }
    for path in files:
        copy(tree / path, tree / trees.RELEASED / path)
    write_manifest(tree, released)


def write_manifest(tree: Path, released: dict[str, object]) -> None:
    """Write what was released."""
    write(tree / trees.MANIFEST, json.dumps(released, indent=1) + "\n")


def version(root: Path) -> str:
    """The version of the library, read without importing it."""
    found = re.search(r'^__version__ = "(.*)"', read(root / "python/needle/__init__.py"), re.MULTILINE)
    return found[1] if found else "unknown"


def moved_links(text: str, folder: str) -> str:
    """A Markdown text that moves from a folder to the root of the tree, with its relative links mended."""

    def moved(match: re.Match[str]) -> str:
        target = match[2]
        if target is None:  # code, in which brackets are no link
            return match[0]
        outside = re.match(r"[a-z]+:|#|/", target) is not None
        return match[0] if outside else f"{match[1]}{normpath(join(folder, target))}{match[3]}"

    return re.sub(r"`[^`\n]*`|(\]\(|<img[^>]* src=\")([^)\s\"]+)([)\s\"])", moved, text)


def read(path: Path) -> str:
    """A source file's text, line ends as they are."""
    return path.read_bytes().decode("utf-8")


def write(path: Path, text: str) -> None:
    """Write a text as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8"))


def copy(source: Path, target: Path) -> None:
    """Copy a file's content."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def run_list(args: argparse.Namespace) -> int:
    """``list``: the assignments, their tasks and points."""
    for each in every(trees.root()):
        after = f", after {', '.join(each.after)}" if each.after else ""
        total = sum(task.points + task.hidden_points for task in each.tasks)
        print(f"{each.name}  {each.title}: {total:g} points, about {each.hours:g} h{after}")
        for task in each.tasks:
            hidden = f" + {task.hidden_points:g} hidden" if task.hidden_points else ""
            print(f"  {task.number:2}  {task.name:24} {task.points:g}{hidden}")
    return 0


def run_release(args: argparse.Namespace) -> int:
    """``release``: make a student's tree, with an earlier one's answers if asked."""
    from .merging import carry_over, split_solved

    root, target = trees.root(), Path(args.folder)
    assignment = load(args.assignment, root)
    solved, theirs = split_solved(args.solution_for, assignment, root)
    with new_folder(target) as tree:
        fill(assignment, root, tree, solved, notebook=True)
        report = carry_over(Path(args.student), tree, theirs) if args.student else None
        if report is None and theirs:
            raise UsageError("--solution-for a task of an earlier assignment goes with --from.")
    decided = trees.released_manifest(target)
    print(f"{target}: {assignment.name}, {len(decided['blank'])} blank functions in {len(assignment.tasks)} tasks.")
    if report is not None:
        print(report.text())
        return 1 if report.conflicts else 0
    return 0


def run_solution(args: argparse.Namespace) -> int:
    """``solution``: a released tree in which this assignment is solved."""
    root, target = trees.root(), Path(args.folder)
    assignment = load(args.assignment, root)
    release(assignment, root, target, [task.name for task in assignment.tasks], notebook=True)
    print(f"{target}: {assignment.name}, solved.")
    return 0


def run_update(args: argparse.Namespace) -> int:
    """``update``: new tests, handout and library in a released tree; the student's code stays."""
    from .updating import update

    folder = Path(args.folder)
    report = update(folder, trees.root())
    print(report)
    return 0
