"""Answers that the staff keeps to grade the graders with: wrong ones, and right ones that are written differently.

Most are modules, ``hw/hw1/wrong/<task>/<what>.py`` and ``hw/hw1/right/<what>.py`` (or a folder of such files): a
docstring that says what is wrong or different, ``FILE = "python/needle/..."``, and functions under their qualified
names, classes being nothing but containers. Their bodies replace those of the solution, with the imports of the
answer's own module. A long function in which a line is wrong is told by that line, in ``changes.toml`` beside:

    [accumulates]
    what = "grad is added to what an earlier walk left."
    function = "python/needle/reverse.py:compute_gradient_of_variables"
    of = "ten_lines"                 # the right answer that is changed; by default, the solution
    before = "node.grad = adjoint"   # lines of the body that stand there once, whatever their indentation
    after = "node.grad = adjoint if node.grad is None else node.grad + adjoint"
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import UsageError
from .assignment import Assignment, FunctionName, Table, read_toml
from .functions import find, functions, put, replaced
from .images import Image


@dataclass(frozen=True)
class Change:
    """Some lines of a function, and what stands there instead."""

    function: FunctionName
    before: str
    after: str


@dataclass(frozen=True)
class Answer:
    """A wrong or right answer that the staff keeps."""

    name: str
    what: str  # what is wrong with it, or different
    donors: Mapping[str, str]  # by the file that they go into
    change: Change | None = None

    def functions(self) -> list[FunctionName]:
        """The functions that it answers."""
        if self.change is not None:
            return [self.change.function]
        return [FunctionName(file, each.name) for file, text in self.donors.items() for each in functions(text, file)]


def kept(assignment: Assignment, folder: str) -> Iterator[Answer]:
    """The answers in a folder of an assignment: ``right``, or ``wrong/<task>``.

    Raises
    ------
    UsageError
        If one is not written as it has to be.
    """
    paths = sorted((assignment.folder / folder).iterdir()) if (assignment.folder / folder).is_dir() else []
    for path in paths:
        files = [path] if path.suffix == ".py" else sorted(path.glob("*.py")) if path.is_dir() else []
        files = [file for file in files if file.name != "__init__.py"]
        if path.name == "changes.toml":
            yield from changes(assignment, path)
        elif files and not path.name.startswith((".", "__")):
            sources = [read_answer(file) for file in files]
            yield Answer(path.stem, sources[0][1], {target: donor for target, _, donor in sources})


def changes(assignment: Assignment, path: Path) -> Iterator[Answer]:
    """The answers that a ``changes.toml`` holds."""
    where = path.relative_to(assignment.folder.parent.parent).as_posix()
    for name, entry in read_toml(path, where).items():
        if not isinstance(entry, dict):
            raise UsageError(f"{where}: {name} is no table")
        table = Table(entry, f"{where}, {name}")
        what, function, of = table.get("what", str), table.get("function", str), entry.get("of", "")
        table.asked.add("of")
        file, _, qualified = function.partition(":")
        change = Change(FunctionName(file, qualified), table.get("before", str), table.get("after", str))
        table.finish()
        base = {answer.name: answer.donors for answer in kept(assignment, "right")} if of else {of: {}}
        if of not in base:
            raise table.error(f"of: there is no right answer {of!r}")
        yield Answer(name, what, base[of], change)


def read_answer(path: Path) -> tuple[str, str, str]:
    """The file that an answer goes into, its docstring, its source."""
    source = path.read_text(encoding="utf-8")
    module = ast.parse(source, str(path))
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "FILE":
            return str(ast.literal_eval(node.value)), (ast.get_docstring(module) or "").strip(), source
    raise UsageError(f"{path} does not say FILE = ..., the file that its functions go into.")


def put_into(solution: Image, answer: Answer) -> dict[str, bytes]:
    """The files of the solution with an answer in them."""
    changed = {file: solution[file].decode() for file in answer.donors}
    for file, source in answer.donors.items():
        donor = with_imports(source)
        for name in dict.fromkeys(function.name for function in functions(donor, answer.name)):
            changed[file] = put(changed[file], file, name, donor, body_only=True)
    if answer.change is not None:
        file = answer.change.function.file
        changed[file] = applied(answer.change, changed.get(file) or solution[file].decode(), answer.name)
    return {file: text.encode() for file, text in changed.items()}


def applied(change: Change, text: str, name: str) -> str:
    """A source with a change in it."""
    found = find(text, change.function)
    if len(found) != 1:
        raise UsageError(f"{name}: {change.function.file} does not define {change.function.name} once")
    (here,) = found
    lines = text[here.body : here.end].splitlines()
    wanted = [line.strip() for line in change.before.strip("\n").splitlines()]
    stripped = [line.strip() for line in lines]
    places = [i for i in range(len(lines)) if stripped[i : i + len(wanted)] == wanted]
    if len(places) != 1:
        raise UsageError(f"{name}: {change.before!r} stands {len(places)} times in {change.function}, not once")
    (first,) = places
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    new = textwrap.indent(textwrap.dedent(change.after.strip("\n")), indent).splitlines()
    lines[first : first + len(wanted)] = new
    return replaced(text, [(here.body, here.end, "\n".join(lines) + "\n")])


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
