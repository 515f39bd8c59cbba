"""Blanking: the body of a function becomes an error that says which task it is; all else stays as it was written."""

from __future__ import annotations

import re
from collections.abc import Mapping

from . import UsageError
from .functions import CPP, Function, FunctionName, functions, matching, replaced

#: How the message of a blank begins: ``hw1, task topological_sort: find_topo_sort in ...``.
BEGINNING = re.compile(r"(hw\w+), task (\w+): ")

# Helpers of a function that is blank are used by nobody.
PRAGMA = '#pragma GCC diagnostic ignored "-Wunused-function"\n'


def task_message(assignment: str, task: str, function: FunctionName) -> str:
    """What calling a blank function says: which task it is, and where it is written."""
    return f"{assignment}, task {task}: {function.name} in {function.file}"


def withheld_message(function: FunctionName, comes_with: str = "a later assignment") -> str:
    """What calling a withheld function says."""
    return f"{function.name} comes with {comes_with}"


def task_in(message: str) -> tuple[str, str] | None:
    """The assignment and the task that the message of a blank names, whatever stands before it; None for others."""
    match = BEGINNING.search(message)
    return (match[1], match[2]) if match else None


def blank(text: str, file: str, messages: Mapping[FunctionName, str]) -> str:
    """Replace bodies by errors.

    Parameters
    ----------
    text, file : str
        The source, and its path in the tree.
    messages : mapping from FunctionName to str
        The functions of this file, and what calling them says.

    Returns
    -------
    str
        The source with blanks.

    Raises
    ------
    UsageError
        If a function is not there, or cannot be blanked (C++'s ``constexpr`` and ``noexcept``, which cannot throw).
    """
    known = functions(text, file)
    parts: dict[int, tuple[int, int, str]] = {}
    for wanted, message in messages.items():
        chosen = matching(known, wanted)
        if not chosen:
            raise UsageError(f"{file} does not define {wanted.name}")
        for function in chosen:
            parts[function.start] = (function.body, function.end, blank_body(text, file, function, message))
    done = replaced(text, parts.values())
    if not (file.endswith(CPP) and parts):
        return done
    return PRAGMA + ("" if "#include <stdexcept>" in done else "#include <stdexcept>\n") + done


def blank_body(text: str, file: str, function: Function, message: str) -> str:
    """The body that raises."""
    if file.endswith(CPP):
        if function.trait:
            raise UsageError(f"{file}: {function.name} is {function.trait}; it cannot be blanked")
        outer = function.indent[2:]
        unused = "".join(f"(void){name};\n{function.indent}" for name in function.parameters)
        body = f"{unused}throw std::logic_error({cpp_string(message, function.indent)});"
        return f"{{\n{function.indent}{body}\n{outer}}}"
    header = text[: function.body]
    start = function.indent if header.endswith("\n") else f"\n{function.indent}" if header.endswith(":") else "; "
    one_line = f'raise NotImplementedError("{message}")'
    if len(function.indent) + len(one_line) <= 120:
        return f"{start}{one_line}\n"
    inner = f"\n{function.indent}    "
    first, colon, second = message.partition(": ")
    return f'{start}raise NotImplementedError({inner}"{first}{colon}"{inner}"{second}"\n{function.indent})\n'


def cpp_string(message: str, indent: str) -> str:
    """The message as a literal, in two parts where a line would be too long."""
    if len(indent) + len(message) + 27 <= 100:
        return f'"{message}"'
    first, colon, second = message.partition(": ")
    return f'\n{indent}    "{first}{colon}"\n{indent}    "{second}"'
