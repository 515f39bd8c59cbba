"""Every assignment: its handout, its tests and its kept answers fit together."""

from __future__ import annotations

import ast
import re

import pytest

from hw.answers import kept, put_into
from hw.assignment import every
from hw.functions import CPP

from .student_tree import PROJECT

pytestmark = pytest.mark.parametrize("assignment", every(PROJECT), ids=lambda assignment: assignment.name)


def handout_of(assignment):
    return (assignment.folder / "README.md").read_text(encoding="utf-8")


def functions_of(path):
    """The tests of a file, by name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {f.name: f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name.startswith("test_")}


def test_there_are_a_hundred_points(assignment):
    assert sum(task.points for task in assignment.tasks) == 70
    assert sum(task.hidden_points for task in assignment.tasks) == 30


def test_every_test_has_a_hint_and_compares(assignment):
    for task in assignment.tasks:
        assert len(task.hints) >= 2
        for kind in ("tests", "hidden"):
            tests = functions_of(assignment.folder / kind / f"test_{task.name}.py")
            assert len(tests) >= 3
            for test in tests.values():
                assert any(ast.unparse(each).startswith("hint(") for each in test.decorator_list), test.name
                words = re.findall(r"\w+", ast.unparse(test))
                assert any("same" in word or "check" in word or "compare" in word or "raises" in word for word in words)


def test_the_handout_names_every_task_its_points_and_its_functions(assignment):
    handout = handout_of(assignment)
    for task in assignment.tasks:
        points = task.points + task.hidden_points
        heading = f"## Task {task.number}: `{task.name}` ({points:g} points)"
        assert heading in handout
        part = handout.partition(heading)[2].partition("\n## ")[0]
        for function in task.functions:
            for word in function.name.split("."):
                assert re.search(rf"\b{word}\b", part), f"{task.name}: {word}"
        anchor = f"#task-{task.number}-{task.name}-{points:g}-points"
        assert f"[{task.name}]({anchor}) | {task.points:g} + {task.hidden_points:g}" in handout


def test_the_handout_says_how_long_it_takes_and_what_is_handed_in(assignment):
    handout = handout_of(assignment)
    assert f"**{assignment.hours:g} hours**" in handout
    for file in assignment.files:
        assert f"`{file}`" in handout


def test_wrong_answers_are_kept_for_every_task(assignment):
    count = {task.name: len(list(kept(assignment, f"wrong/{task.name}"))) for task in assignment.tasks}
    assert min(count.values()) >= 3
    assert sum(count.values()) >= 25
    folders = {path.name for path in (assignment.folder / "wrong").iterdir() if path.name != "__pycache__"}
    assert folders == set(count)


def test_kept_answers_say_what_they_are_and_answer_a_task(assignment):
    owner = {function: task.name for task in assignment.tasks for function in task.functions}
    for task in assignment.tasks:
        names = set()
        for answer in kept(assignment, f"wrong/{task.name}"):
            assert answer.what.endswith("."), answer.name
            assert {owner[function] for function in answer.functions()} == {task.name}, answer.name
            assert answer.name not in names
            names.add(answer.name)
    for answer in kept(assignment, "right"):
        assert answer.what.endswith(".") and {owner[function] for function in answer.functions()}, answer.name


def test_a_kept_answer_changes_the_solution(assignment):
    solution = {file: (PROJECT / file).read_bytes() for file in assignment.files}
    if any(file.endswith(CPP) for file in assignment.files):
        pytest.importorskip("tree_sitter_cpp", reason="C++ is read by tree-sitter")
    for folder in ("right", *(f"wrong/{task.name}" for task in assignment.tasks)):
        for answer in kept(assignment, folder):
            changed = put_into(solution, answer)
            assert changed and all(text != solution[file] for file, text in changed.items())
            assert all(ast.parse(text) for file, text in changed.items() if file.endswith(".py"))
