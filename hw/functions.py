"""Where functions stand in source text: Python's by `ast`, C++'s by tree-sitter. Nothing is ever unparsed.

A function's text has two parts. Its *header* is what a blank keeps: decorators, signature, docstring. Its *body* is the
rest. Both are ranges of characters, so that a body can be replaced and everything else stays as it was written.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple

from . import UsageError

#: How the names of C++ files end.
CPP = (".cpp", ".cc", ".h", ".hpp")


class FunctionName(NamedTuple):
    """A function of the library: ``python/needle/ops/elementwise.py:EWiseDiv.gradient``.

    The name ``*`` stands for every function of the file, ``Class.*`` for every method of the class.
    """

    file: str
    name: str

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"


@dataclass(frozen=True)
class Function:
    """One definition: ``text[start:body]`` is its header, ``text[body:end]`` its body."""

    name: str
    start: int
    body: int
    end: int
    indent: str  # of the statements of the body
    parameters: tuple[str, ...] = ()  # in C++, where a blank has to mention them
    trait: str = ""  # in C++, why no blank could take the place of the body
    trivial: bool = False  # nothing but a docstring, ``...``, or a NotImplementedError


def functions(text: str, file: str) -> list[Function]:
    """Every function and method of a source file, in the order of the text; not those inside of functions.

    Parameters
    ----------
    text : str
        The source.
    file : str
        Its name, which tells the language and is named in errors.

    Returns
    -------
    list of Function
        Several have the same name where it is defined several times: a property and its setter, overloads.

    Raises
    ------
    UsageError
        If the source has a syntax error.
    """
    return list(parsed(text, file))


@lru_cache(maxsize=256)  # every command reads the same few dozen files, some of them for each assignment
def parsed(text: str, file: str) -> tuple[Function, ...]:
    """What `functions` gives."""
    if file.endswith(CPP):
        from .cpp import cpp_functions

        return tuple(cpp_functions(text))
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise UsageError(f"{file}{f', line {line}' if line else ''}: syntax error: {error.args[0]}") from None
    lines = Lines(text)
    return tuple(python_function(lines, name, node) for name, node in definitions(module.body))


def find(text: str, wanted: FunctionName) -> list[Function]:
    """The definitions that a name of an assignment.toml stands for; in C++ the namespace may be left out."""
    return matching(functions(text, wanted.file), wanted)


def matching(known: Iterable[Function], wanted: FunctionName) -> list[Function]:
    """Those of the `known` functions that a name of an assignment.toml stands for."""
    separator = "::" if wanted.file.endswith(CPP) else "."
    if wanted.name == "*":
        return list(known)
    if wanted.name.endswith(f"{separator}*"):
        return [f for f in known if f.name.startswith(wanted.name[:-1])]
    if separator == "::":
        return [f for f in known if f"::{f.name}".endswith(f"::{wanted.name}")]
    return [f for f in known if f.name == wanted.name]


def put(text: str, file: str, name: str, donor: str, body_only: bool = False) -> str:
    """Replace the definition of a function by the one that another source has.

    Parameters
    ----------
    text, file : str
        The source to change, and its name.
    name : str
        The qualified name: ``EWiseDiv.gradient``.
    donor : str
        A source that defines a function of this name.
    body_only : bool
        Keep the header: decorators, signature and docstring.

    Returns
    -------
    str
        The changed source.

    Raises
    ------
    UsageError
        If one of the sources does not define the function, or not as often as the other.
    """
    old, new = (find(source, FunctionName(file, name)) for source in (text, donor))
    if not old or len(old) != len(new):
        raise UsageError(f"{file}: {name} is defined {len(old)} times here, {len(new)} times in what replaces it")
    parts = []
    for here, there in zip(old, new):
        start, first = (here.body, there.body) if body_only else (here.start, there.start)
        parts.append((start, here.end, donor[first : there.end]))
    return replaced(text, parts)


def replaced(text: str, parts: Iterable[tuple[int, int, str]]) -> str:
    """The text with each range (start, end) replaced; ranges do not overlap."""
    for start, end, new in sorted(parts, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def python_path(file: str) -> PurePosixPath:
    """The path of a file in a tree, whatever system this is."""
    return PurePosixPath(file.replace("\\", "/"))


def definitions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Functions and methods with their qualified names, also under ``if``, ``try`` and ``with``."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from definitions(node.body, f"{prefix}{node.name}.")
        else:
            for field in ("body", "orelse", "finalbody"):
                yield from definitions(getattr(node, field, []), prefix)
            for handler in getattr(node, "handlers", []):
                yield from definitions(handler.body, prefix)


class Lines:
    """The lines of a text, and at which character each begins; lines count from 1, as in `ast`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = io.StringIO(text, newline="").readlines()
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def at(self, line: int, byte: int = 0) -> int:
        """The position of a byte in a line: `ast` counts bytes."""
        if line > len(self.lines):
            return len(self.text)
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:byte].decode())


def python_function(lines: Lines, name: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function:
    """Find the ranges of a definition."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    statements = list(node.body)
    line, header_end = signature_end(lines, node)
    in_one_line = statements[0].lineno == line  # def f(): return 1
    if ast.get_docstring(node, clean=False) is not None:
        docstring = statements.pop(0)
        assert docstring.end_lineno is not None and docstring.end_col_offset is not None
        line, header_end = docstring.end_lineno, lines.at(docstring.end_lineno, docstring.end_col_offset)
    last = node.end_lineno or node.lineno
    outer = " " * node.col_offset
    if in_one_line or (statements and statements[0].lineno == line):
        body, indent = header_end, f"{outer}    "
    else:
        body = lines.at(line + 1)
        indent = " " * (node.body[0].col_offset if node.body[0].lineno > node.lineno else node.col_offset + 4)
    return Function(
        name=name,
        start=lines.at(first),
        body=body,
        end=max(body, lines.at(with_comments(lines, last, node.col_offset) + 1)),
        indent=indent,
        trivial=all(map(is_trivial, statements)),
    )


def signature_end(lines: Lines, node: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[int, int]:
    """The line and the position of the colon that ends the signature."""
    source = "".join(lines.lines[node.lineno - 1 :])
    depth = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
            if token.string == ":" and depth == 0:
                line = node.lineno + token.end[0] - 1
                return line, lines.starts[line - 1] + token.end[1]
    raise AssertionError("ast has found a colon here")


def with_comments(lines: Lines, last: int, column: int) -> int:
    """The last line of a definition, with comments behind its last statement that are indented as its body."""
    for number in range(last + 1, len(lines.lines) + 1):
        line = lines.lines[number - 1]
        if not line.strip():
            continue
        if not line.lstrip().startswith("#") or len(line) - len(line.lstrip()) <= column:
            break
        last = number
    return last


def is_trivial(statement: ast.stmt) -> bool:
    """Whether a statement says nothing: ``...``, ``pass``, or that a method is not there."""
    if isinstance(statement, ast.Pass):
        return True
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Raise) and statement.exc is not None:
        raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return False
