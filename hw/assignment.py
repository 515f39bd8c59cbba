"""What an assignment is, and how it is read from its assignment.toml.

Every mistake in the file is a `UsageError`, which is a ValueError, that names the file, the entry and what would be
right.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from . import UsageError
from .files import glob_matches
from .functions import CPP, FunctionName, functions, matching

if sys.version_info >= (3, 11):
    import tomllib
else:
    try:
        import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise SystemExit("Python 3.10 needs tomli here: pip install tomli (or 'needle-dl[hw]')") from None

__all__ = ["Assignment", "FunctionName", "Task", "every", "load"]

#: What a released tree holds of the library, and what its tests cannot do without, unless the assignment says.
COPIES, IMPORTS = ("python/needle/**",), ("needle",)
#: The file that says what an assignment is, in its folder ``hw/<name>``.
TOML = "assignment.toml"
#: With ``build = true``: what is built, and where it is installed, seen from the root of a released tree.
BUILD_FILE = "CMakeLists.txt"


@dataclass(frozen=True)
class Task:
    """A part of an assignment, with points: some functions to write, with tests of its own."""

    name: str
    title: str
    points: float
    hidden_points: float
    functions: tuple[FunctionName, ...]
    needs: tuple[str, ...]
    hints: tuple[str, ...]
    number: int  # from 1, in the order of the assignment


@dataclass(frozen=True)
class Assignment:
    """An assignment: tasks on functions of the library, and what a released tree holds besides."""

    name: str
    title: str
    hours: float
    backend: str
    build: bool
    after: tuple[str, ...]
    imports: tuple[str, ...]
    files: tuple[str, ...]
    copies: tuple[str, ...]
    leaves_out: tuple[str, ...]
    withholds: tuple[FunctionName, ...]
    tasks: tuple[Task, ...]
    folder: Path

    @property
    def has_library(self) -> bool:
        """Whether its tests need Needle, which then is part of a released tree."""
        return "needle" in self.imports

    def is_built(self, task: Task) -> bool:
        """Whether a task's tests need what is built: where they are written in C++, or on arrays that are."""
        in_cpp = any(function.file.endswith(CPP) for function in task.functions)
        return self.build and (in_cpp or self.backend == "nd")

    def task(self, name: str) -> Task:
        """The task of this name, or of this number."""
        for task in self.tasks:
            if name in (task.name, str(task.number)):
                return task
        known = ", ".join(task.name for task in self.tasks)
        raise UsageError(f"{self.name} has no task {name}; it has: {known}")


def load(name: str, root: Path) -> Assignment:
    """Read ``hw/<name>/assignment.toml`` of a tree.

    Parameters
    ----------
    name : str
        The assignment: ``hw1``.
    root : Path
        The tree: the project, a released tree, or any folder with an ``hw/<name>`` in it. In a released tree the
        functions that the file names are not looked for: a student may have broken them.

    Returns
    -------
    Assignment
        What the file says, checked.

    Raises
    ------
    UsageError
        If there is no such assignment, or if something in the file is wrong.
    """
    folder = root / "hw" / name
    path = folder / TOML
    if not path.is_file():
        known = ", ".join(p.parent.name for p in sorted((root / "hw").glob(f"*/{TOML}"))) or "none"
        raise UsageError(f"There is no assignment {name} in {root}; there are: {known}.")
    where = f"hw/{name}/{TOML}"
    assignment = parse(read_toml(path, where), where, folder)
    if assignment.name != name:
        raise UsageError(f"{where}: name is {assignment.name!r}, but the folder is {name!r}")
    if not (root / ".needle-hw").exists():
        check_functions(assignment, root, where)
    return assignment


def read_toml(path: Path, where: str) -> dict[str, Any]:
    """What a TOML file holds; `where` names it in errors."""
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{where}: {error}") from None
    return table


def every(root: Path) -> list[Assignment]:
    """All assignments of a tree, each after those that it says it comes after."""
    found = {path.parent.name: load(path.parent.name, root) for path in sorted((root / "hw").glob(f"*/{TOML}"))}
    ordered: list[Assignment] = []

    def visit(name: str, behind: tuple[str, ...]) -> None:
        if name in behind:
            raise UsageError(f"hw/{name}/{TOML}: it comes after itself: {' after '.join((*behind, name))}")
        if found[name] in ordered:
            return
        for earlier in found[name].after:
            if earlier not in found:
                raise UsageError(f"hw/{name}/{TOML}: after: there is no assignment {earlier!r}")
            visit(earlier, (*behind, name))
        ordered.append(found[name])

    for name in found:
        visit(name, ())
    return ordered


def earlier(assignment: Assignment, root: Path) -> list[Assignment]:
    """The assignments that a tree of this one builds on, in order: those it comes after, and theirs."""
    known = {each.name: each for each in every(root)}
    names: set[str] = set()
    waiting = list(assignment.after)
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting += known[name].after
    return [each for each in known.values() if each.name in names]


class Table:
    """A table of a TOML file, asked entry by entry; what nobody has asked for is an unknown key."""

    def __init__(self, entries: Mapping[str, Any], where: str) -> None:
        self.entries, self.where, self.asked = entries, where, set[str]()

    def get(self, key: str, kind: type[Any], default: Any = None) -> Any:
        """An entry of a kind; without a default it has to be there."""
        self.asked.add(key)
        if key not in self.entries:
            if default is None:
                raise self.error(f"{key} is missing")
            return default
        value: Any = self.entries[key]
        # In Python true is a number.
        if not isinstance(value, (int, float) if kind is float else kind) or isinstance(value, bool) != (kind is bool):
            raise self.error(f"{key} is {value!r}; it must be {NAMES[kind]}")
        if value == "":
            raise self.error(f"{key} is empty")
        return value

    def strings(self, key: str, required: bool = False, default: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of strings."""
        values = self.get(key, list, None if required else [*default])
        for value in values:
            if not isinstance(value, str) or not value.strip():
                raise self.error(f"{key} holds {value!r}; it must hold strings")
        if required and not values:
            raise self.error(f"{key} is empty")
        return tuple(values)

    def functions(self, key: str, required: bool = False) -> tuple[FunctionName, ...]:
        """A list of functions' names."""
        names = []
        for value in self.strings(key, required):
            file, colon, name = value.partition(":")
            if not colon or not file or not name.strip():
                raise self.error(f"{key}: {value!r} is not of the form 'python/needle/reverse.py:find_topo_sort'")
            names.append(FunctionName(file, name))
        return tuple(names)

    def number(self, key: str, default: float | None = None) -> float:
        """A number that is not negative."""
        value: float = self.get(key, float, default)
        if value < 0:
            raise self.error(f"{key} is {value}; it must not be negative")
        return value

    def finish(self) -> None:
        """Refuse keys that nobody has asked for."""
        unknown = sorted(set(self.entries) - self.asked)
        if unknown:
            raise self.error(f"unknown key {unknown[0]!r}; known keys: {', '.join(sorted(self.asked))}")

    def error(self, message: str) -> UsageError:
        """The error that says where the mistake is."""
        return UsageError(f"{self.where}: {message}")


NAMES: dict[type[Any], str] = {
    str: "a string",
    bool: "true or false",
    float: "a number",
    list: "a list",
    int: "a whole number",
}


def parse(entries: Mapping[str, Any], where: str, folder: Path) -> Assignment:
    """Make an assignment of what the TOML file holds."""
    table = Table(entries, where)
    written = table.get("task", list)
    tasks: list[Task] = []
    for number, each in enumerate(written, start=1):
        if not isinstance(each, dict):
            raise table.error("a task is written as a table, under [[task]]")
        tasks.append(parse_task(each, where, number, [task.name for task in tasks]))
    assignment = Assignment(
        name=identifier(table, table.get("name", str)),
        title=table.get("title", str),
        hours=table.number("hours"),
        backend=table.get("backend", str),
        build=table.get("build", bool),
        after=table.strings("after"),
        imports=table.strings("imports", default=IMPORTS),
        files=table.strings("files", required=True),
        copies=table.strings("copies", default=COPIES),
        leaves_out=table.strings("leaves_out"),
        withholds=table.functions("withholds"),
        tasks=tuple(tasks),
        folder=folder,
    )
    table.finish()
    if assignment.backend not in ("np", "nd"):
        raise table.error(f"backend is {assignment.backend!r}; it must be 'np' (NumPy) or 'nd' (Needle's arrays)")
    check_consistency(assignment, table)
    return assignment


def parse_task(entries: Mapping[str, Any], where: str, number: int, before: list[str]) -> Task:
    """Make a task of its table."""
    name = entries.get("name")
    table = Table(entries, f"{where}, task {name}" if isinstance(name, str) else f"{where}, task {number}")
    task = Task(
        name=identifier(table, table.get("name", str)),
        title=table.get("title", str),
        points=table.number("points"),
        hidden_points=table.number("hidden_points", 0),
        functions=table.functions("functions", required=True),
        needs=table.strings("needs"),
        hints=table.strings("hints"),
        number=number,
    )
    table.finish()
    if task.name in before:
        raise table.error("there are two tasks of this name")
    for need in task.needs:
        if need not in before:
            raise table.error(f"needs {need!r}, which is no task before this one")
    if task.points + task.hidden_points <= 0:
        raise table.error("a task is worth some points")
    for function in task.functions:
        if "*" in function.name:
            raise table.error(f"functions: {function}: a task names its functions one by one")
    return task


def identifier(table: Table, name: str) -> str:
    """A name that can be part of a file's name and of a command."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise table.error(f"name is {name!r}; it must be made of small letters, digits and underscores")
    return name


def check_consistency(assignment: Assignment, table: Table) -> None:
    """Refuse entries that contradict each other."""
    if not assignment.tasks:
        raise table.error("an assignment has a [[task]]")
    first: dict[FunctionName, str] = {}
    for task in assignment.tasks:
        for function in task.functions:
            if function.file not in assignment.files:
                raise table.error(f"task {task.name}: {function.file} is not among the files that a student edits")
            if first.setdefault(function, task.name) != task.name:
                raise table.error(f"task {task.name}: {function} is part of task {first[function]} already")
            if function in assignment.withholds:
                raise table.error(f"withholds: {function} is part of task {task.name}")
    for file in assignment.files:
        if is_outside(file):
            raise table.error(f"files: {file!r} is not a path inside the tree, written with /")
        if any(glob_matches(pattern, file) for pattern in assignment.leaves_out):
            raise table.error(f"leaves_out: it leaves out {file}, which a student edits")


def is_outside(file: str) -> bool:
    """Whether a path could point out of the tree."""
    return file.startswith("/") or "\\" in file or ":" in file or ".." in file.split("/")


def check_functions(assignment: Assignment, root: Path, where: str) -> None:
    """Refuse files and functions that are not there."""
    if assignment.build and not (assignment.folder / BUILD_FILE).is_file():
        raise UsageError(f"{where}: build: there is no hw/{assignment.name}/{BUILD_FILE}, which says what is built")
    for file in assignment.files:
        if not (root / file).is_file():
            raise UsageError(f"{where}: files: there is no file {file}")
    for task in assignment.tasks:
        require(task.functions, root, f"{where}, task {task.name}: functions")
    require(assignment.withholds, root, f"{where}: withholds")


def require(names: Iterable[FunctionName], root: Path, where: str) -> None:
    """Refuse names of functions that their files do not define."""
    defined: dict[str, Any] = {}
    for name in names:
        path = root / name.file
        if is_outside(name.file) or not path.is_file():
            raise UsageError(f"{where}: there is no file {name.file}")
        if name.file not in defined:
            if name.file.endswith(CPP) and find_spec("tree_sitter_cpp") is None:
                continue  # they are looked for by whoever has what it takes to blank them
            defined[name.file] = functions(path.read_text(encoding="utf-8"), name.file)
        if not matching(defined[name.file], name):
            raise UsageError(f"{where}: {name.file} does not define {name.name}")
