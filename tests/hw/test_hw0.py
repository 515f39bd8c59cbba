"""hw0: the handout, the tests and the solution fit together, and what the handout shows is what happens."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from apps import simple_ml as with_needle
from hw.assignment import load
from hw.blanking import blank
from hw.hw0 import simple_ml
from hw.releasing import release

from .student_tree import PROJECT, pytest_in, run, run_program

pytestmark = pytest.mark.usefixtures("one_thread")
ASSIGNMENT = load("hw0", PROJECT)
HANDOUT = (ASSIGNMENT.folder / "README.md").read_text(encoding="utf-8")
PROGRAMS = dict(zip(("show", "slope", "train", "compare"), re.findall(r"```python\n(.*?)```", HANDOUT, re.DOTALL)))
PYTHON, CPP = "hw/hw0/simple_ml.py", "hw/hw0/simple_ml.cpp"
MINI_MNIST = PROJECT / "python/needle/data/mini_mnist"


@pytest.fixture
def changed(solved):
    """Put another line into a file of the solved tree, which is the solution's again afterwards."""
    before = {}

    def change(file, old, new):
        text = before.setdefault(file, (solved / file).read_text(encoding="utf-8"))
        assert old in text
        (solved / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        return solved

    yield change
    for file, text in before.items():
        (solved / file).write_text(text, encoding="utf-8")


def shown(beginning, ending):
    """The lines of the handout from one that begins so to the next end of a block."""
    return HANDOUT[HANDOUT.index(beginning) :].partition(ending)[0].splitlines()


def test_what_is_read_is_what_needle_reads():
    files = [MINI_MNIST / f"t10k-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")]
    for ours, theirs in zip(simple_ml.parse_mnist(*files), with_needle.parse_mnist(*files)):
        assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs)


def test_the_bytes_in_the_picture_are_those_of_the_file():
    picture = (ASSIGNMENT.folder / "images" / "idx.svg").read_text(encoding="utf-8")
    drawn = [int(each, 16) for each in re.findall(r'font-family="Menlo[^>]*>([0-9a-f]{2})<', picture)]
    with gzip.open(MINI_MNIST / "train-images-idx3-ubyte.gz") as file:
        header = list(file.read(18))
    assert drawn == header


def test_pictures_are_shown_and_well_formed():
    named = re.findall(r"!\[[^\]]+\]\(images/(.+?)\)", HANDOUT)
    assert sorted(named) == sorted(path.name for path in (ASSIGNMENT.folder / "images").iterdir())
    for name in named:
        ElementTree.parse(ASSIGNMENT.folder / "images" / name)


def test_the_loss_of_equal_logits_is_what_the_handout_says():
    assert f"{float(simple_ml.softmax_loss(np.zeros((1, 10)), np.array([3]))):.1f}" == "2.3"
    assert "for ten classes is 2.3" in HANDOUT


@pytest.mark.grading
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("state", ["solved", "blank"])
def test_the_kernels_compile_without_warnings(tmp_path, compiler, state):
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    text = (PROJECT / CPP).read_text(encoding="utf-8")
    if state == "blank":
        functions = [each for task in ASSIGNMENT.tasks for each in task.functions if each.file == CPP]
        text = blank(text, CPP, {each: f"hw0, task some: {each.name}" for each in functions})
        assert text.count("throw std::logic_error") == 4
    (tmp_path / "simple_ml.cpp").write_text(text, encoding="utf-8")
    options = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{ASSIGNMENT.folder}"]
    command = [compiler, *options, "-c", "simple_ml.cpp"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.grading
def test_no_case_passes_on_a_fresh_tree_and_each_names_a_task(tmp_path):
    tree = tmp_path / "fresh"
    release(ASSIGNMENT, PROJECT, tree)
    assert "Built." in run(tree, "hw", "build")
    said = pytest_in(tree, "hw/hw0/tests", "--tb=line")
    assert " passed" not in said, said
    failed = int(re.search(r"(\d+) failed", said)[1])
    causes = re.findall(r"^E +NotImplementedError: hw0, task (\w+): ", said, re.MULTILINE)
    assert failed > 100 and len(causes) == failed, said
    assert {task.name for task in ASSIGNMENT.tasks} == set(causes)


@pytest.mark.grading
def test_tasks_in_python_need_no_compiler(tmp_path, monkeypatch):
    tree = tmp_path / "tree"
    release(ASSIGNMENT, PROJECT, tree, [task.name for task in ASSIGNMENT.tasks])
    monkeypatch.setenv("CXX", str(tmp_path / "no-compiler"))
    said = run(tree, "hw", "check", "softmax_loss")
    assert "6 of 6 points" in said, said
    said = run(tree, "hw", "check", "softmax_cpp")
    assert "does not compile" in said and "points" not in said, said


@pytest.mark.grading
def test_the_library_needs_no_part_of_needle(solved):
    assert not (solved / "python/needle/__init__.py").exists()
    said = pytest_in(solved, "hw/hw0/tests")
    assert " passed" in said and "failed" not in said and "error" not in said, said


@pytest.mark.grading
def test_the_programs_in_the_handout_run(solved):
    assert list(PROGRAMS) == ["show", "slope", "train", "compare"]
    said = run_program(solved, PROGRAMS["show"])
    assert said.startswith("(1000, 784) float32 (1000,) uint8\n") and said.endswith("This is a 8\n"), said
    said = run_program(solved, PROGRAMS["slope"])
    assert float(said.partition(": ")[2]) < 1e-9, said
    said = run_program(solved, PROGRAMS["compare"])
    assert float(said.rpartition(": ")[2]) < 1e-5 and said.count(" s\n") == 2, said


@pytest.mark.grading
def test_training_goes_as_the_handout_says(solved):
    said = run_program(solved, PROGRAMS["train"])
    assert "9000 images to learn, 1000 to test, from python" in said, said
    found, told = ([float(each) for each in re.findall(r"test error ([\d.]+)%", text)] for text in (said, HANDOUT))
    assert len(found) == len(told) == 2 and all(abs(a - b) < 0.5 for a, b in zip(found, told)), said


@pytest.mark.grading
def test_the_session_on_whole_columns(changed):
    tree = changed(PYTHON, "G[np.arange(len(y)), y] -= 1", "G[:, y] -= 1")
    said = run(tree, "hw", "check", "softmax_gradient")
    for line in shown("Case 4, test_gradient", "\n```"):
        assert line in said, (line, said)
    typed = "debug softmax_gradient(Z, y)\nstep\nnext\nnext\nnext\np G\nnext\np G\nquit\nquit\n"
    said = run(tree, "hw", "check", "softmax_gradient", "--case", "4", "--pdb", typed=typed)
    for line in shown("ENTERING RECURSIVE", "\n```"):
        output = line.removeprefix("((Pdb)) ").removeprefix("-> ")
        if output != "..." and not line.startswith("((Pdb))"):
            assert output in said, (line, said)


@pytest.mark.grading
def test_the_session_on_memory_behind_the_matrix(changed):
    printed = shown("std::cerr", "\n```")[0]
    multiply = "C[i * k + j] += A[i * n + p] * B[p * k + j];"
    wrong = multiply.replace("i * n + p", "i * m + p")
    tree = changed(CPP, multiply, wrong)
    said = run(tree, "hw", "check", "matmul_cpp")
    for line in shown("Case 3, test_matmul", "\n```"):
        assert line in said, (line, said)
    text = (tree / CPP).read_text(encoding="utf-8")
    with_print = text.replace("#include <cmath>", "#include <cmath>\n#include <iostream>").replace(
        wrong, f"{wrong}\n{printed}"
    )
    (tree / CPP).write_text(with_print, encoding="utf-8")
    said = run(tree, "hw", "check", "matmul_cpp", "--case", "3", "--pdb", typed="quit\n")
    for line in shown("C[0] gets", "\n```"):
        assert line in said, (line, said)
