"""An assignment with C++ and with files of its own: released, built, checked and graded."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hw import trees
from hw.assignment import BUILD_FILE, load
from hw.checking import Result, check
from hw.grading import Grader, grader
from hw.releasing import release
from hw.submissions import Submission
from tests.hw.tiny import make_project

pytest.importorskip("tree_sitter_cpp", reason="C++ is read by tree-sitter")
pytest.importorskip("pybind11", reason="what students write in C++ is called through pybind11")
pytestmark = pytest.mark.grading

PYTHON, CPP = "hw/own/square.py", "hw/own/cube.cpp"
SQUARE = 'def square(x):\n    """x^2."""\n    return x * x\n'
CUBE = "double cube(double x) {\n  const double square = x * x;\n  return square * x;\n}\n"
BINDINGS = """
#include <pybind11/pybind11.h>
#include <stdexcept>
#include <typeinfo>

double cube(double x);

PYBIND11_MODULE(cubes, m) {
  pybind11::register_exception_translator([](std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::logic_error& what) {
      if (typeid(what) != typeid(std::logic_error)) throw;
      PyErr_SetString(PyExc_NotImplementedError, what.what());
    }
  });
  m.def("cube", &cube);
}
"""
FILES = {
    "hw/own/__init__.py": "",
    "hw/own/README.md": "# Own\n",
    "hw/own/assignment.toml": f"""
name = "own"
title = "Files of its own"
hours = 1
backend = "np"
build = true
imports = ["hw.own.square"]
copies = ["hw/own/bindings.cpp"]
files = ["{PYTHON}", "{CPP}"]

[[task]]
name = "square"
title = "Square"
points = 4
functions = ["{PYTHON}:square"]

[[task]]
name = "cube"
title = "Cube"
points = 3
functions = ["{CPP}:cube"]
""",
    PYTHON: SQUARE,
    CPP: CUBE,
    "hw/own/bindings.cpp": BINDINGS,
    "hw/own/CMakeLists.txt": """
cmake_minimum_required(VERSION 3.18)
project(own LANGUAGES CXX)
find_package(Python 3.10 REQUIRED COMPONENTS Interpreter Development.Module)
find_package(pybind11 2.13 CONFIG REQUIRED)
add_compile_options(-Wall -Wextra -Werror)
pybind11_add_module(cubes MODULE NO_EXTRAS hw/own/cube.cpp hw/own/bindings.cpp)
install(TARGETS cubes DESTINATION hw/own)
""",
    "hw/own/tests/test_square.py": (
        "from hw.own.square import square\nfrom hw.testing import same\n\n\n"
        "def test_of_three():\n    same(square(3.0), 9.0)\n"
    ),
    "hw/own/tests/test_cube.py": (
        "from hw.testing import same\n\n\n"
        "def test_of_two():\n    from hw.own.cubes import cube\n\n    same(cube(2.0), 8.0)\n"
    ),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with this assignment, and one that is written in Python."""
    folder = make_project(tmp_path_factory.mktemp("building") / "project")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture(scope="module")
def judge(project: Path) -> Iterator[Grader]:
    """A grader of it."""
    with grader(load("own", project), project, None) as made:
        yield made


@pytest.fixture(scope="module")
def released(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A released tree, in which the bindings are compiled but once."""
    folder = tmp_path_factory.mktemp("released") / "tree"
    release(load("own", project), project, folder)
    return folder


@pytest.fixture
def tree(released: Path) -> Path:
    """The released tree, with its blanks."""
    for file in (PYTHON, CPP):
        shutil.copyfile(released / trees.RELEASED / file, released / file)
    return released


def points(judge: Grader, **files: str) -> list[float]:
    """What a submission gets for square and cube."""
    given = {PYTHON: SQUARE, CPP: CUBE} | {{"square": PYTHON, "cube": CPP}[name]: text for name, text in files.items()}
    grade = judge.grade(Submission("somebody", {name: text.encode() for name, text in given.items()}))
    return [outcome.points for outcome in grade.outcomes]


def checked(tree: Path, task: str) -> Result:
    """What `check` finds in a task."""
    assignment = load("own", tree)
    return check(assignment, assignment.task(task), tree)


def test_a_tree_holds_what_is_copied_the_files_with_blanks_and_what_is_built(tree: Path) -> None:
    kept = tree / trees.RELEASED
    held = {path.relative_to(kept).as_posix() for path in (kept / "hw/own").rglob("*") if path.is_file()}
    tests = {"hw/own/tests/test_square.py", "hw/own/tests/test_cube.py"}
    assert held == {PYTHON, CPP, "hw/own/__init__.py", "hw/own/assignment.toml", "hw/own/bindings.cpp", *tests}
    assert "own/cube.cpp" in (tree / "CMakeLists.txt").read_text()
    assert "x * x" not in (tree / PYTHON).read_text() + (tree / CPP).read_text()
    assert not (tree / "python").exists()


def test_without_the_library_no_needle_is_looked_for(tree: Path) -> None:
    trees.refuse_foreign(tree)


def test_a_blank_in_cpp_compiles_and_says_in_python_which_task_it_is(tree: Path) -> None:
    assert trees.build(tree) == ""
    case = checked(tree, "cube").first_failure()
    assert case is not None and case.missing == f"own, task cube: cube in {CPP}"


def test_what_is_written_in_cpp_runs_after_the_next_build(tree: Path) -> None:
    (tree / CPP).write_text(CUBE)
    assert trees.build(tree) == "" and checked(tree, "cube").done
    (tree / CPP).write_text(CUBE.replace("square * x", "square"))
    assert trees.build(tree) == "" and not checked(tree, "cube").done


def test_a_tree_is_configured_again_when_its_build_file_changes_and_only_then(tree: Path) -> None:
    cache = tree / "build" / "CMakeCache.txt"
    (tree / CPP).write_text(CUBE)
    assert trees.build(tree) == ""
    before = cache.stat().st_mtime_ns
    (tree / CPP).write_text(f"{CUBE}// changed\n")
    assert trees.build(tree) == "" and cache.stat().st_mtime_ns == before
    text = (tree / BUILD_FILE).read_text()
    (tree / BUILD_FILE).write_text(f'{text}message(FATAL_ERROR "what it says now")\n')
    said = trees.build(tree)
    (tree / BUILD_FILE).write_text(text)  # the next test gets the same tree
    assert "what it says now" in said and trees.build(tree) == ""


def test_a_tree_that_was_moved_is_built_where_it_is(tree: Path, tmp_path: Path) -> None:
    (tree / CPP).write_text(CUBE)
    assert trees.build(tree) == ""
    moved = tmp_path / "elsewhere"
    shutil.copytree(tree, moved)
    (moved / CPP).write_text(CUBE.replace("square * x", "square"))
    assert trees.build(moved) == "" and not checked(moved, "cube").done and checked(tree, "cube").done


@pytest.mark.parametrize(("task", "status", "words"), [("square", 0, "4 of 4 points"), ("cube", 1, "undeclared")])
def test_cpp_that_does_not_compile_stops_the_tasks_in_cpp_alone(tree: Path, task: str, status: int, words: str) -> None:
    (tree / PYTHON).write_text(SQUARE)
    (tree / CPP).write_text(CUBE)
    assert trees.build(tree) == "" and checked(tree, "cube").done, "what was compiled before is right, and stays there"
    (tree / CPP).write_text(CUBE.replace("square * x", "undeclared"))
    command = [sys.executable, "-m", "hw", "check", task]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == status and words in done.stdout
    assert ("The C++ code does not compile:" in done.stdout) == (task == "cube")
    everything = subprocess.run(command[:-1], cwd=tree, capture_output=True, text=True, check=False)
    assert everything.returncode == 1 and "undeclared" in everything.stdout and "4 of 7 points" in everything.stdout
    assert "cube        0 / 3   does not compile" in everything.stdout


def test_grading_gives_full_points_to_the_solution_and_none_to_blanks(judge: Grader) -> None:
    assert points(judge) == [4, 3]
    blank = judge.grade(Submission("blank"))
    assert blank.points == 0 and f"cube in {CPP}" in blank.outcomes[1].text


def test_grading_builds_what_was_submitted(judge: Grader) -> None:
    assert points(judge, cube=CUBE.replace("square * x", "square")) == [4, 0]
    assert points(judge, square=SQUARE.replace("x * x", "2 * x")) == [0, 3]
    assert points(judge) == [4, 3]


def test_cpp_that_does_not_compile_counts_as_not_handed_in(judge: Grader) -> None:
    files = {PYTHON: SQUARE.encode(), CPP: b"double cube(double x) { return undeclared; }\n"}
    grade = judge.grade(Submission("wrong", files))
    assert [outcome.points for outcome in grade.outcomes] == [4, 0]
    assert f"{CPP} cannot be used" in grade.notes[0] and "undeclared" in grade.notes[0]


def test_where_a_submission_was_compiled_is_closed_to_others_when_it_runs(judge: Grader) -> None:
    points(judge)
    places = [each.tree.parent for each in judge.builder.free.queue]
    assert places and all(place.stat().st_mode & 0o777 == 0o700 for place in places)


def test_each_set_of_sources_is_compiled_once(judge: Grader) -> None:
    def count(**files: str) -> int:
        points(judge, **files)
        return len(judge.builder.known)

    before = count()
    assert count(square=SQUARE.replace("x * x", "x + x")) == before, "nothing to compile differs"
    changed = CUBE.replace("x * x", "x + x")
    assert count(cube=changed) == count(cube=changed) == before + 1
    assert judge.builder.free.qsize() == 1, "one tree serves one thread"
