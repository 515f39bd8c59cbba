"""Grades: what a submission got for each task, for the terminal, for a table, and for Gradescope's results.json.

results.json is as Gradescope's documentation of autograders specifies it.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .assignment import Assignment, Task

#: The kinds of tests, by the names of their folders.
PUBLIC, HIDDEN = "tests", "hidden"
#: The longest text of a test in results.json.
LONGEST = 10_000


@dataclass
class Outcome:
    """What a task's public or hidden tests gave."""

    task: Task
    kind: str
    points: float
    best: float
    passed: int
    tests: int
    text: str = ""  # what a student may read about it

    @property
    def full(self) -> bool:
        """Whether all points were given."""
        return self.passed == self.tests


@dataclass
class Grade:
    """What a submission got."""

    submission: str
    assignment: Assignment
    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # for the student
    remarks: list[str] = field(default_factory=list)  # for the staff
    seconds: float = 0.0

    @property
    def points(self) -> float:
        """All points."""
        return round(sum(outcome.points for outcome in self.outcomes), 2)

    @property
    def best(self) -> float:
        """All points that there are."""
        return round(sum(outcome.best for outcome in self.outcomes), 2)


def table(grade: Grade) -> str:
    """A grade for the terminal."""
    wide = max(len(task.name) for task in grade.assignment.tasks)
    lines = [f"{grade.submission}: {grade.assignment.name}, {grade.points:g} of {grade.best:g} points", ""]
    lines.append(f"  {'':{wide + 4}}  {'public':>11}  {'hidden':>11}")
    for task in grade.assignment.tasks:
        row = f"  {task.number:2}  {task.name:{wide}}"
        for kind in (PUBLIC, HIDDEN):
            found = next((each for each in grade.outcomes if each.task is task and each.kind == kind), None)
            row += f"  {f'{found.points:g} / {found.best:g}' if found else '':>11}"
        lines.append(row.rstrip())
    if grade.notes:
        lines += ["", *map(clean, grade.notes)]
    if grade.remarks:
        lines += ["", "Worth a look:", *(f"  {clean(remark)}" for remark in grade.remarks)]
    lines.append(f"\n{grade.seconds:.0f} seconds.")
    return "\n".join(lines)


def line_of(grade: Grade) -> str:
    """A grade in a line."""
    remarks = f"   worth a look: {len(grade.remarks)}" if grade.remarks else ""
    return f"{grade.submission:30} {grade.points:>7g} of {grade.best:g}{remarks}"


def write_csv(grades: Sequence[Grade], path: Path) -> None:
    """Write a line for each submission: its points in all, by task, and what is worth a look."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        kinds = {PUBLIC: "", HIDDEN: " (hidden)"}
        columns = [f"{each.task.name}{kinds[each.kind]}" for each in grades[0].outcomes]
        writer.writerow(["submission", "points", "of", *columns, "notes", "worth a look"])
        for grade in grades:
            points = [f"{each:g}" for each in (grade.points, grade.best, *(each.points for each in grade.outcomes))]
            notes = "; ".join(" ".join(note.split()) for note in grade.notes)
            writer.writerow([harmless(grade.submission), *points, harmless(notes), harmless("; ".join(grade.remarks))])


def harmless(cell: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{clean(cell)}" if cell[:1] in "=+-@" and cell else clean(cell)


def results(grade: Grade) -> dict[str, Any]:
    """The content of results.json.

    Each task has one test for its public tests and one for its hidden ones, which students see when the grades are
    published. What is printed is for the staff.
    """
    tests = []
    for outcome in grade.outcomes:
        hidden = outcome.kind == HIDDEN
        task = outcome.task
        tests.append(
            {
                "number": f"{task.number}{'h' if hidden else ''}",
                "name": f"{task.name}: {task.title}{', hidden tests' if hidden else ''}",
                "score": outcome.points,
                "max_score": outcome.best,
                "status": "passed" if outcome.full else "failed",
                "output": clean(outcome.text),
                "output_format": "text",
                "visibility": "after_published" if hidden else "visible",
            }
        )
    lines = [f"{grade.assignment.name}: {grade.assignment.title}", *grade.notes]
    return {
        "score": grade.points,
        "execution_time": round(grade.seconds),
        "output": clean("\n\n".join(lines)),
        "output_format": "text",
        "test_output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }


def clean(text: str) -> str:
    """A text that came from a submission: not too long, and without what would move a terminal's cursor."""
    text = "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n... {len(text) - LONGEST} more characters"


def write_results(grade: Grade, path: Path) -> None:
    """Write results.json; whoever reads it finds all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.part")
    beside.write_text(json.dumps(results(grade), indent=1) + "\n", encoding="utf-8")
    os.replace(beside, path)
