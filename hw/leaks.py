"""Whether a released tree gives answers away: every body that is blank in it is looked for in all of its files."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import trees
from .assignment import FunctionName
from .functions import Function, find
from .releasing import read

#: This many lines of an answer, one after another, are a leak; a shorter answer is one as a whole.
WINDOW = 3

#: The lines of a body, and in Python its syntax.
Answer = tuple[tuple[str, ...], "str | None"]


@dataclass(frozen=True)
class Leak:
    """A place of a released tree in which an answer stands."""

    function: FunctionName
    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.function}: {self.file}, line {self.line}: {self.text}"


def leaks(tree: Path, root: Path) -> list[Leak]:
    """Look for what is blank in a released tree.

    Parameters
    ----------
    tree : Path
        A released tree.
    root : Path
        The project it was released from.

    Returns
    -------
    list of Leak
        Every place where a blanked body stands: as the body of a function (compared as syntax, so that layout and
        comments do not matter), or as lines of any text. A body of a single simple line, such as ``return -a``, says
        too little to be looked for.
    """
    released = trees.released_manifest(tree)
    answers: dict[tuple[FunctionName, int], Answer] = {}
    for written in (*released["blank"], *released["withheld"]):
        name = FunctionName(*written.split(":", 1))
        text = read(root / name.file)
        for function in find(text, name):
            lines = tuple(line for _, line in significant_lines(text[function.body : function.end], name.file))
            if len(lines) > 1:
                answers[name, function.start] = (lines, syntax_of(text, function, name.file))
    found: list[Leak] = []
    for path in sorted(tree.rglob("*")):
        if path.is_file() and trees.FOLDER not in path.relative_to(tree).parts:
            found += leaks_in(path, path.relative_to(tree).as_posix(), answers)
    return found


def leaks_in(path: Path, file: str, answers: Mapping[tuple[FunctionName, int], Answer]) -> Iterator[Leak]:
    """The answers that stand in one file."""
    try:
        text = read(path)
    except UnicodeDecodeError:
        return
    numbered = list(significant_lines(text, file))
    places: dict[tuple[str, ...], int] = {}
    for size in {min(len(lines), WINDOW) for lines, _ in answers.values()}:
        for i in range(len(numbered) - size + 1):
            places.setdefault(tuple(line for _, line in numbered[i : i + size]), numbered[i][0])
    bodies = dict(bodies_in(text)) if file.endswith(".py") else {}
    for (name, _), (lines, syntax) in answers.items():
        size = min(len(lines), WINDOW)
        windows = [lines[i : i + size] for i in range(len(lines) - size + 1)]
        line = next((places[window] for window in windows if window in places), bodies.get(syntax or ""))
        if line is not None:
            yield Leak(name, file, line, text.splitlines()[line - 1].strip())


def significant_lines(text: str, file: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, without blanks and comments, with their numbers."""
    for number, line in enumerate(text.splitlines(), start=1):
        code = line.partition("//")[0] if file.endswith((".cpp", ".h")) else without_comment(line)
        squeezed = "".join(code.split())
        if len(squeezed.strip("()[]{},;")) > 3:
            yield number, squeezed


def without_comment(line: str) -> str:
    """A line of Python without its comment; lines that are no Python by themselves are left as they are."""
    if "#" not in line:
        return line
    try:
        for token in tokenize.generate_tokens(io.StringIO(line.strip()).readline):
            if token.type == tokenize.COMMENT:
                return line.strip()[: token.start[1]]
    except (tokenize.TokenError, SyntaxError):
        pass
    return line


def syntax_of(text: str, function: Function, file: str) -> str | None:
    """The body of a Python function as syntax, in a form that can be compared."""
    if not file.endswith(".py"):
        return None
    # As the body of a function: that is where `return` may stand.
    wrapped = f"def f():\n{text[function.body : function.end]}"
    return next((dumped for dumped, _ in bodies_in(wrapped)), None)


def bodies_in(text: str) -> Iterator[tuple[str, int]]:
    """The bodies of all functions of a source, docstrings aside, with their first lines."""
    try:
        module = ast.parse(text)
    except SyntaxError:
        return
    for node in ast.walk(module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[ast.get_docstring(node) is not None :]
            if body:
                yield "\n".join(map(ast.dump, body)), body[0].lineno
