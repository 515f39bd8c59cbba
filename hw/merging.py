"""Carrying a student's work over into a newer tree (``release HW DIR --from STUDENT_DIR``).

A three-way merge of every file that students edit: *base* is what was released to the student, *theirs* what they made
of it, *ours* the new release. It goes function by function, since the library's own answer, which stands in *ours*
where *base* had a blank, would collide line by line with whatever the student wrote there.

1. A function that the student was to write: their header and body, if they changed the blank; else ours.
2. Any other function: whoever changed it wins; if both did, line by line.
3. What stands between the functions (imports, helpers that were added), line by line, each function counting as one.

Line by line is ``git merge-file``: whoever has the project has git, its alignment of lines is better than that of the
Python packages that merge, and it adds no dependency.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from . import UsageError, trees
from .assignment import Assignment, FunctionName, earlier
from .blanking import blank, task_message
from .changes import changes
from .functions import CPP, Function, functions, replaced
from .releasing import read, write, write_manifest

CONFLICTS = f"{trees.FOLDER}/conflicts"


@dataclass
class Report:
    """What became of a student's work."""

    carried: list[str] = field(default_factory=list)
    solved: list[str] = field(default_factory=list)  # the library's, as asked
    open: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Lines for the terminal."""
        parts = [
            (self.carried, "carried over"),
            (self.solved, "taken from the library, as asked"),
            (self.open, "as in the new release, since never written or to be written anew"),
            (self.ignored, "changed by the student, but not part of the assignment; not carried over"),
            (self.conflicts, "CONFLICTS, to be mended by hand"),
        ]
        lines = []
        for names, what in parts:
            if names:
                lines += [f"{what}:", *(f"  {name}" for name in names)]
        return "\n".join(lines) or "The student has changed nothing."


def split_solved(asked: Iterable[str], assignment: Assignment, root: Path) -> tuple[set[str], set[tuple[str, str]]]:
    """Find the tasks of ``--solution-for``: those of the assignment itself, and those of earlier ones.

    Returns
    -------
    own : set of str
        Names of tasks of `assignment`.
    before : set of (str, str)
        Assignments and tasks.
    """
    known = [(each.name, task.name) for each in (assignment, *earlier(assignment, root)) for task in each.tasks]
    found = set()
    for name in asked:
        fitting = [pair for pair in known if name in (pair[1], "/".join(pair))]
        if len(fitting) != 1:
            several = (
                f"it could be any of {', '.join('/'.join(pair) for pair in fitting)}" if fitting else "there is none"
            )
            raise UsageError(f"--solution-for {name}: {several} in {assignment.name} and before.")
        found.add(fitting[0])
    return {task for name, task in found if name == assignment.name}, {p for p in found if p[0] != assignment.name}


def carry_over(student: Path, tree: Path, solved: Collection[tuple[str, str]] = ()) -> Report:
    """Merge the work in a student's tree into a new one.

    Parameters
    ----------
    student : Path
        The student's released tree, of the same or of an earlier assignment. It is not changed.
    tree : Path
        The new tree, as released. In its untouched copy the functions that are carried over become blank: that is what
        a later merge and ``diff`` compare with, and there is no answer in it.
    solved : collection of (str, str)
        Assignments and tasks of which the answer in the new release stays.

    Returns
    -------
    Report
        What was carried over, and conflicts: both sides stand in the file then, between git's markers.
    """
    old, new = trees.manifest(student), trees.released_manifest(tree)
    if old is None:
        raise UsageError(f"{student} is no released tree: it has no {trees.MANIFEST}.")
    names = sorted(path.parent.name for path in (tree / "hw").glob("*/assignment.toml"))
    if old["assignment"] not in names:
        raise UsageError(f"{student} holds {old['assignment']}, which {new['assignment']} does not come after.")
    report = Report()
    to_write = {name: f"{old['assignment']}/{task}" for name, task in old["blank"].items()} | old["carried"]
    found = changes(student)
    report.ignored = [path for path in (*found.edited, *found.missing, *found.added) if path not in old["edited"]]
    for file in old["edited"]:
        if (student / file).is_file():
            mine = {FunctionName(*name.split(":", 1)): task for name, task in to_write.items()}
            mine = {name: task for name, task in mine.items() if name.file == file}
            merge_file(file, student, tree, mine, solved, new, report)
        else:
            report.conflicts.append(f"{file}: the student's tree lacks it")
    write_manifest(tree, new)
    return report


def merge_file(
    file: str,
    student: Path,
    tree: Path,
    mine: dict[FunctionName, str],
    solved: Collection[tuple[str, str]],
    new: dict[str, object],
    report: Report,
) -> None:
    """Merge one file into the new tree, and note in the manifest what was carried over."""
    # An editor or git may have changed the ends of lines.
    theirs, base = (read(path / file).replace("\r\n", "\n") for path in (student, student / trees.RELEASED))
    if not (tree / file).is_file():
        report.conflicts.append(f"{file}: the new release lacks it")
        return
    ours = read(tree / file)
    try:
        merge = Merge(file, base, theirs, ours)
    except UsageError as error:
        write(tree / CONFLICTS / file, theirs)
        report.conflicts.append(f"{error}; the student's file is kept as {CONFLICTS}/{file}")
        return
    blanks, carried = new["blank"], new["carried"]
    assert isinstance(blanks, dict) and isinstance(carried, dict)
    again: dict[FunctionName, str] = {}
    for name, task in mine.items():
        assignment, _, short = task.partition("/")
        key = str(name)
        if (assignment, short) in solved:
            merge.choose(name.name, "ours")
            report.solved.append(key)
        elif merge.is_as_released(name.name) or (key in blanks and assignment != new["assignment"]):
            merge.choose(name.name, "ours")
            report.open.append(key)
        elif merge.choose(name.name, "theirs"):
            report.carried.append(key)
            if key not in blanks:
                again[name] = task_message(assignment, short, name)
                carried[key] = task
        else:
            report.conflicts.append(f"{key}: one side no longer defines it")
    merged, conflicts = merge.result()
    report.conflicts += [f"{file}: {what}" for what in conflicts]
    write(tree / file, merged)
    if again:
        write(tree / trees.RELEASED / file, blank(ours, file, again))
        files = new["files"]
        assert isinstance(files, dict)
        files[file] = trees.sha256(tree / trees.RELEASED / file)


class Merge:
    """Three versions of a file, cut into functions and what stands between them."""

    def __init__(self, file: str, base: str, theirs: str, ours: str) -> None:
        self.comment = "//" if file.endswith(CPP) else "#"
        self.texts = {"base": base, "theirs": theirs, "ours": ours}
        # The n-th definition of a name is one of its own: a property and its setter.
        self.functions = {side: numbered(functions(text, file)) for side, text in self.texts.items()}
        self.chosen: dict[str, str] = {}

    def keys(self, name: str) -> list[str]:
        """The definitions of a name, on whatever side."""
        every = dict.fromkeys(key for side in self.functions.values() for key in side)
        return [key for key in every if key.rpartition("#")[0].endswith(name) and self.named(key, name)]

    def named(self, key: str, name: str) -> bool:
        """Whether a definition has the name; in C++ the namespace may be left out."""
        full = key.rpartition("#")[0]
        return full == name or full.endswith(f"::{name}")

    def source(self, side: str, key: str) -> str | None:
        """The text of a definition."""
        function = self.functions[side].get(key)
        return None if function is None else self.texts[side][function.start : function.end]

    def is_as_released(self, name: str) -> bool:
        """Whether the student has left a function as it was."""
        return all(self.source("base", key) == self.source("theirs", key) for key in self.keys(name))

    def choose(self, name: str, side: str) -> bool:
        """Take a function's body from one side; whether there is such a function on both."""
        keys = self.keys(name)
        if not keys or any(self.source(s, key) is None for key in keys for s in ("theirs", "ours")):
            return False
        for key in keys:
            self.chosen[key] = side
        return True

    def result(self) -> tuple[str, list[str]]:
        """The merged text, and what is in conflict in it."""
        skeletons = {side: self.skeleton(side) for side in self.texts}
        text, collided = merge_lines(skeletons["base"], skeletons["theirs"], skeletons["ours"])
        conflicts = ["lines outside of functions"] if collided else []
        for key in dict.fromkeys(key for side in self.functions.values() for key in side):
            mark = self.mark(key)
            if mark in text:
                source, collided = self.merged_function(key)
                text = text.replace(mark, source)
                if collided:
                    conflicts.append(key.rpartition("#")[0])
        return text, conflicts

    def skeleton(self, side: str) -> str:
        """The text with one line for each function that all sides know; one that is new stays as it is."""
        parts = []
        for key, function in self.functions[side].items():
            if key in self.functions["base"]:
                parts.append((function.start, function.end, self.mark(key)))
        return replaced(self.texts[side], parts)

    def mark(self, key: str) -> str:
        """The line that stands for a function."""
        return f"{self.comment} @function {key}@\n"

    def merged_function(self, key: str) -> tuple[str, bool]:
        """The merged text of a function, and whether two changes collide in it."""
        base, theirs, ours = (self.source(side, key) for side in ("base", "theirs", "ours"))
        if theirs is None or ours is None or base is None:
            return theirs or ours or base or "", False
        if key not in self.chosen:
            return merge_three(base, theirs, ours)
        headers, bodies = {}, {}
        for side, functions_of in self.functions.items():
            function, text = functions_of[key], self.texts[side]
            headers[side], bodies[side] = text[function.start : function.body], text[function.body : function.end]
        header, collided = merge_three(headers["base"], headers["theirs"], headers["ours"])
        if self.chosen[key] == "ours":
            return ours, False
        return header + bodies["theirs"], collided


def numbered(found: Iterable[Function]) -> dict[str, Function]:
    """Functions by name, with a number for those that have the same: ``Tensor.data#0``."""
    named: dict[str, Function] = {}
    for function in found:
        number = sum(key.rpartition("#")[0] == function.name for key in named)
        named[f"{function.name}#{number}"] = function
    return named


def merge_three(base: str, theirs: str, ours: str) -> tuple[str, bool]:
    """Merge three versions of a piece of text: whoever changed it wins; if both did, line by line."""
    if theirs in (base, ours):
        return ours, False
    if ours == base:
        return theirs, False
    return merge_lines(base, theirs, ours)


def merge_lines(base: str, theirs: str, ours: str) -> tuple[str, bool]:
    """Merge line by line, with git's markers where changes collide; and whether they do."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, text in (("theirs", theirs), ("base", base), ("ours", ours)):
            path = Path(folder) / name
            write(path, text)
            paths.append(str(path))
        labels = ["-L", "yours", "-L", "released", "-L", "new release"]
        try:
            done = subprocess.run(["git", "merge-file", "-p", *labels, *paths], capture_output=True, check=False)
        except FileNotFoundError:
            raise UsageError("git is needed to merge, and it is not installed.") from None
    if done.returncode < 0 or done.returncode > 127:
        raise UsageError(f"git merge-file failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode("utf-8"), done.returncode > 0
