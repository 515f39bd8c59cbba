"""hw3: the handout says what is so, a fresh tree is whole but for its blanks, and its programs print what it shows."""

from __future__ import annotations

import re

import pytest

from hw import trees
from hw.assignment import load

from .student_tree import PROJECT, pytest_in, run, run_program

ASSIGNMENT = load("hw3", PROJECT)
HANDOUT = (ASSIGNMENT.folder / "README.md").read_text(encoding="utf-8")
PROGRAMS = dict(zip(("views", "kernels", "speed"), re.findall(r"```python\n(.*?)```", HANDOUT, re.DOTALL)))
SMALL = "needle.backend_ndarray.ndarray_backend_cpu_simple"


def test_the_handout_says_how_much_there_is():
    assert f"and {sum(len(task.functions) for task in ASSIGNMENT.tasks)} functions" in HANDOUT
    assert len(ASSIGNMENT.files) == 4 and "the four files" in HANDOUT
    assert list(PROGRAMS) == ["views", "kernels", "speed"] and "import" in PROGRAMS["speed"]


def test_the_assignments_build_and_the_librarys_compile_the_same_sources():
    """The student's small extension, and the part of the library's own, are one text."""
    ours = (PROJECT / "CMakeLists.txt").read_text(encoding="utf-8")
    theirs = (ASSIGNMENT.folder / "CMakeLists.txt").read_text(encoding="utf-8")
    for source in ("src/cpu_simple.cpp", "src/bindings_simple.cpp"):
        assert source in ours and source in theirs and source in ASSIGNMENT.copies


def test_other_kernels_are_not_released(fresh):
    released = sorted(path.name for path in (fresh / "src").iterdir())
    assert released == ["bindings_simple.cpp", "bindings_simple.h", "cpu_simple.cpp", "cpu_simple.h"]


@pytest.mark.grading
def test_a_fresh_tree_builds_without_warnings_and_its_kernels_name_their_tasks(fresh):
    assert trees.build(fresh) == ""
    program = f"""
import importlib, os, warnings
os.environ["NEEDLE_BACKEND"] = "nd"
warnings.simplefilter("error")
import needle as ndl
kernels = importlib.import_module("{SMALL}")
a = kernels.Array(4)
for call in (lambda: kernels.fill(a, 1.0), lambda: kernels.matmul(a, a, a, 2, 2, 2), lambda: ndl.Tensor([1.0])):
    try:
        call()
    except NotImplementedError as error:
        print(error)
print(ndl.default_device(), ndl.all_devices())
"""
    said = run_program(fresh, program).splitlines()
    assert said[0] == "hw3, task elementwise: fill in src/cpu_simple.cpp"
    assert said[1] == "hw3, task matmul: matmul_naive in src/cpu_simple.cpp"
    assert said[2] == "hw3, task strides: compact_strides in python/needle/backend_ndarray/layout.py"
    assert said[3] == "cpu_simple() [cpu_simple(), cuda(), cpu_numpy()]"


@pytest.mark.grading
def test_the_library_passes_all_tests():
    said = pytest_in(PROJECT, "hw/hw3/tests", "hw/hw3/hidden")
    assert " passed" in said and "failed" not in said and "error" not in said, said


@pytest.mark.grading
def test_the_programs_in_the_handout_run(solved):
    for name in ("views", "kernels"):
        said = run_program(solved, PROGRAMS[name])
        assert said in HANDOUT and said.count("\n") > 1, said
    lines = run_program(solved, PROGRAMS["speed"]).splitlines()
    assert len(lines) == 4 and all(line.endswith("GFLOP/s") for line in lines)


@pytest.mark.grading
@pytest.mark.parametrize(
    "optimizer", ["SGD(model.parameters(), lr=0.1, momentum=0.9)", "Adam(model.parameters(), lr=0.02)"]
)
def test_a_network_trains_on_the_students_kernels_alone(solved, optimizer):
    program = f"""
import os
os.environ["NEEDLE_BACKEND"] = "nd"
import numpy as np
import needle as ndl
from needle import nn, optim
np.random.seed(0)
rng = np.random.default_rng(0)
x = rng.normal(size=(60, 8)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
layers = nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 2)
model = nn.Sequential(*layers)
optimizer = optim.{optimizer}
for step in range(30):
    loss = nn.SoftmaxLoss()(model(ndl.Tensor(x)), ndl.Tensor(y))
    optimizer.reset_grad()
    loss.backward()
    optimizer.clip_grad_norm(5.0)
    optimizer.step()
    if step in (0, 29):
        print(loss.item())
"""
    first, last = map(float, run_program(solved, program).split())
    assert last < first / 2


@pytest.mark.grading
def test_the_session_on_an_offset_that_gets_lost(solved):
    path = solved / "python/needle/backend_ndarray/ndarray.py"
    before = path.read_text(encoding="utf-8")
    right = "return source.as_strided(shape, compact_strides(shape))"
    assert before.count(right) == 1
    path.write_text(before.replace(right, right[:-1] + ", 0)"), encoding="utf-8")
    try:
        checked = run(solved, "hw", "check", "reshape")
        (case,) = re.findall(r"^Case (\d+), ", checked, re.MULTILINE)
        typed = "p a.shape, a.strides, a.offset\np found.shape, found.strides, found.offset\nquit\n"
        said = run(solved, "hw", "check", "reshape", "--case", case, "--pdb", typed=typed)
    finally:
        path.write_text(before, encoding="utf-8")
    shown = HANDOUT.partition("`check` shows\n\n```\n")[2].partition("```")[0]
    assert shown in checked, checked
    session = HANDOUT.partition("(Pdb) p a.shape")[2].partition("```")[0]
    answers = [line for line in session.splitlines() if line.startswith("((")]
    assert len(answers) == 2 and all(line in said for line in answers), said
