"""``mutate``: small changes to the solution, by Cosmic Ray; each should cost points in the task that it is made in.

A change that nobody could notice who does what the assignment asks is *equivalent*. The staff lists such changes, each
with the reason, in ``hw/hw1/equivalent.toml``:

    [[mutant]]
    function = "python/needle/reverse.py:find_topo_sort"
    line = "visited: set[Value] = set()"     # as it stands in the solution, or ...
    becomes = "..."                          # ... as it stands in the mutant; one of the two, or both
    reason = "..."
"""

from __future__ import annotations

import argparse
import difflib
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass

from . import UsageError, trees
from .answers import Answer
from .assignment import Assignment, Table, Task, load, read_toml
from .functions import CPP, FunctionName, find, functions
from .grading import grader
from .packing import hidden_tests
from .verifying import lost_by

#: What part of the mutants may go unnoticed, those that are equivalent aside.
UNNOTICED = 0.05
#: Operators of Cosmic Ray that make no sense between floating-point arrays, or that want names of variables.
LEFT_OUT = ("RShift", "LShift", "BitOr", "BitAnd", "BitXor", "VariableReplacer", "VariableInserter")


@dataclass(frozen=True)
class Mutant:
    """A function of the solution with one small change."""

    function: FunctionName
    donor: str  # a source with the changed function in it
    line: str  # what was changed
    becomes: str

    def __str__(self) -> str:
        return f"{self.function}: {self.line or '(nothing)'}  ->  {self.becomes or '(nothing)'}"


@dataclass(frozen=True)
class Equivalent:
    """Changes of which the staff says that they change nothing; an empty text fits anything."""

    function: str
    line: str
    becomes: str
    reason: str

    def fits(self, mutant: Mutant) -> bool:
        """Whether a mutant is one of these."""
        lines = self.line in ("", mutant.line) and self.becomes in ("", mutant.becomes)
        return lines and self.function == str(mutant.function)


def run(args: argparse.Namespace) -> int:
    """``mutate``: say which mutants lose no points; status 1 if they are too many."""
    root = trees.root()
    assignment = load(args.assignment, root)
    tasks = [assignment.task(args.only)] if args.only else list(assignment.tasks)
    known = equivalents(assignment)
    begun, total, aside = time.monotonic(), 0, 0
    unnoticed: list[Mutant] = []
    with grader(assignment, root, hidden_tests(assignment, None)) as judge:
        for task in tasks:
            count, before = 0, len(unnoticed)
            for mutant in mutants(task, judge.solution):
                if any(each.fits(mutant) for each in known):
                    aside += 1
                    continue
                count += 1
                answer = Answer(str(mutant), "", {mutant.function.file: mutant.donor})
                if lost_by(judge, answer, task) is None:
                    unnoticed.append(mutant)
            total += count
            print(f"{task.name}: {count - len(unnoticed) + before} of {count} mutants lose points.", flush=True)
            for mutant in unnoticed[before:]:
                print(f"  not noticed: {mutant}")
    print(f"{total - len(unnoticed)} of {total} are noticed; {aside} more are listed as equivalent.")
    print(f"{time.monotonic() - begun:.0f} seconds.")
    return 1 if len(unnoticed) > UNNOTICED * total else 0


def equivalents(assignment: Assignment) -> list[Equivalent]:
    """What ``equivalent.toml`` lists."""
    path = assignment.folder / "equivalent.toml"
    if not path.is_file():
        return []
    where = f"hw/{assignment.name}/{path.name}"
    table = Table(read_toml(path, where), where)
    found = []
    for entry in table.get("mutant", list, []):
        each = Table(entry, where)
        line, becomes = each.entries.get("line", ""), each.entries.get("becomes", "")
        each.asked |= {"line", "becomes"}
        found.append(Equivalent(each.get("function", str), line, becomes, each.get("reason", str)))
        each.finish()
        if not line and not becomes:
            raise each.error(f"{found[-1].function}: a mutant is told by line, or becomes, or both")
    table.finish()
    return found


def mutants(task: Task, solution: dict[str, bytes]) -> Iterator[Mutant]:
    """All mutants of a task's functions in Python, each text once."""
    try:
        from cosmic_ray.mutating import mutate_code  # type: ignore[import-untyped, import-not-found, unused-ignore]
        from cosmic_ray.plugins import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
            get_operator,
            operator_names,
        )
    except ImportError:
        raise UsageError("Mutants are made by Cosmic Ray: pip install 'needle-dl[mutants]'.") from None
    operators = [get_operator(name)() for name in operator_names() if not any(each in name for each in LEFT_OUT)]
    for function in task.functions:
        if function.file.endswith(CPP):
            continue
        text = solution[function.file].decode()
        for here in find(text, function):
            source = textwrap.dedent(text[here.start : here.end])
            seen = {source}
            for operator in operators:
                occurrence = 0
                while (mutated := mutate_code(source, operator, occurrence)) is not None:
                    occurrence += 1
                    if mutated not in seen and compiles(mutated) and header(mutated) == header(source):
                        seen.add(mutated)
                        line, becomes = difference(source, mutated)
                        yield Mutant(function, within_class(function.name, mutated), line, becomes)


def header(source: str) -> str:
    """Decorators, signature and docstring: what a student is given."""
    return source[: functions(source, "a mutant.py")[0].body]


def compiles(source: str) -> bool:
    """Whether a source has no syntax error."""
    try:
        compile(source, "a mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def difference(source: str, mutated: str) -> tuple[str, str]:
    """The lines that differ, before and after, without indentation."""
    lines = [line for line in difflib.ndiff(source.splitlines(), mutated.splitlines()) if line[0] in "+-"]
    return tuple(" ".join(line[2:].strip() for line in lines if line[0] == sign) for sign in "-+")  # type: ignore[return-value]


def within_class(name: str, source: str) -> str:
    """A function as it stands in its class."""
    for container in reversed(name.split(".")[:-1]):
        source = f"class {container}:\n{textwrap.indent(source, '    ')}"
    return source
