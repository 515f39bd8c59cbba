"""Kept answers: how a change is applied, and what is said of one that is not written as it has to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hw import UsageError
from hw.answers import kept, put_into
from hw.assignment import Assignment, load

from .student_tree import PROJECT

SOURCE = '''def walk(nodes):
    """A docstring in which total = 0 stands, too."""
    total = 0
    for node in nodes:
        if node:
            total += node
    return total
'''


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    (tmp_path / "hw/hw1/wrong/elementwise").mkdir(parents=True)
    return replace(load("hw1", PROJECT), folder=tmp_path / "hw/hw1")


def write(assignment: Assignment, **entries: str) -> None:
    values = {"what": "Something.", "function": "walk.py:walk", "before": "total = 0", "after": "total = 1"} | entries
    text = "[mistake]\n" + "".join(f"{key} = '''\n{value}'''\n" for key, value in values.items())
    (assignment.folder / "wrong/elementwise/changes.toml").write_text(text, encoding="utf-8")


def changed(assignment: Assignment) -> str:
    (answer,) = kept(assignment, "wrong/elementwise")
    return put_into({"walk.py": SOURCE.encode()}, answer)["walk.py"].decode()


def test_lines_are_changed_where_they_stand_and_keep_their_indentation(assignment: Assignment) -> None:
    write(assignment, before="if node:\n  total += node", after="while node:\n    total += node\n    break")
    assert changed(assignment) == SOURCE.replace(
        "        if node:\n            total += node\n",
        "        while node:\n            total += node\n            break\n",
    )


def test_a_docstring_is_not_changed(assignment: Assignment) -> None:
    write(assignment)
    assert changed(assignment) == SOURCE.replace("    total = 0\n", "    total = 1\n")


@pytest.mark.parametrize(
    "entries, complaint",
    [
        ({"before": "total = 2"}, "stands 0 times"),
        ({"function": "walk.py:run"}, "does not define run once"),
        ({"of": "nobody"}, "no right answer 'nobody'"),
        ({"why": "because"}, "unknown key 'why'"),
    ],
)
def test_a_change_that_cannot_be_made_is_named(assignment: Assignment, entries: dict[str, str], complaint: str) -> None:
    write(assignment, **entries)
    with pytest.raises(UsageError, match=complaint):
        changed(assignment)


def test_lines_that_stand_twice_are_not_guessed(assignment: Assignment) -> None:
    write(assignment, before="total = 0")
    (answer,) = kept(assignment, "wrong/elementwise")
    twice = SOURCE.replace("    return total\n", "    total = 0\n    return total\n")
    with pytest.raises(UsageError, match="stands 2 times"):
        put_into({"walk.py": twice.encode()}, answer)
