"""Trees of an assignment, for the tests of its content: these say which by `ASSIGNMENT`."""

from __future__ import annotations

import pytest

from hw import trees
from hw.assignment import FunctionName
from hw.functions import CPP
from hw.releasing import release

from .student_tree import PROJECT, write


def released(assignment, folder, solved):
    """A tree with these tasks solved."""
    if any(file.endswith(CPP) for file in assignment.files):
        pytest.importorskip("tree_sitter_cpp", reason="C++ is read by tree-sitter")
    release(assignment, PROJECT, folder, solved)
    return folder


@pytest.fixture(scope="module")
def fresh(request, tmp_path_factory):
    """A tree as students get it."""
    assignment = request.module.ASSIGNMENT
    return released(assignment, tmp_path_factory.mktemp(assignment.name) / "fresh", [])


@pytest.fixture(scope="module")
def solved(request, tmp_path_factory):
    """A tree in which all is solved, and built."""
    assignment = request.module.ASSIGNMENT
    names = [task.name for task in assignment.tasks]
    tree = released(assignment, tmp_path_factory.mktemp(assignment.name) / "solved", names)
    assert not assignment.build or trees.build(tree) == ""
    return tree


@pytest.fixture
def changed(solved):
    """Write bodies into the solved tree, which are the solution's again afterwards."""
    before = {}

    def change(file, name, body):
        before.setdefault(file, (solved / file).read_text(encoding="utf-8"))
        write(solved, FunctionName(file, name), body)
        return solved

    yield change
    for file, text in before.items():
        (solved / file).write_text(text, encoding="utf-8")


@pytest.fixture
def one_thread(monkeypatch):
    """Small matrices gain nothing by threads, which wait for each other where other tests run."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
