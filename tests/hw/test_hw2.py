"""hw2: the handout, the tests and the kept answers fit together, and what the handout shows is what happens."""

from __future__ import annotations

import re

import pytest

from hw.__main__ import main
from hw.assignment import load
from hw.functions import find
from hw.releasing import release

from .student_tree import PROJECT, pytest_in, run, run_program, write
from .test_hw1 import TEN_LINES, WALK

pytestmark = pytest.mark.usefixtures("one_thread")
ASSIGNMENT = load("hw2", PROJECT)
HANDOUT = (ASSIGNMENT.folder / "README.md").read_text(encoding="utf-8")
NORMALIZATION = "python/needle/nn/normalization.py"
PROGRAMS = dict(zip(("scale", "grow", "bowl", "look", "train"), re.findall(r"```python\n(.*?)```", HANDOUT, re.DOTALL)))


def test_the_handout_says_how_much_there_is():
    assert f"and {sum(len(task.functions) for task in ASSIGNMENT.tasks)} functions" in HANDOUT
    assert len(ASSIGNMENT.files) == 14 and "the fourteen files" in HANDOUT


def test_what_hw1_asks_for_is_there_and_what_hw2_asks_for_is_not(fresh):
    for task in load("hw1", PROJECT).tasks:
        for function in task.functions:
            texts = [(root / function.file).read_text(encoding="utf-8") for root in (fresh, PROJECT)]
            found = [text[f.body : f.end] for text in texts for f in find(text, function)]
            assert found[: len(found) // 2] == found[len(found) // 2 :], function
    program = """
import needle as ndl
from apps import simple_ml
x = ndl.Tensor([[2.0, 3.0]])
(x * x).sum().backward()
print(x.grad)
try:
    ndl.nn.Linear(2, 3)
except NotImplementedError as error:
    print(error)
"""
    said = run_program(fresh, program)
    assert "[[4. 6.]]" in said and "hw2, task linear: Linear.__init__" in said, said


@pytest.mark.grading
def test_the_library_passes_all_tests():
    said = pytest_in(PROJECT, "hw/hw2/tests", "hw/hw2/hidden")
    assert " passed" in said and "failed" not in said and "error" not in said, said


@pytest.mark.grading
def test_no_case_passes_on_a_fresh_tree_and_each_names_a_task(fresh):
    said = pytest_in(fresh, "hw/hw2/tests", "--tb=line")
    assert " passed" not in said, said
    failed = int(re.search(r"(\d+) failed", said)[1])
    causes = re.findall(r"^E +NotImplementedError: hw2, task (\w+): ", said, re.MULTILINE)
    assert failed > 200 and len(causes) == failed, said
    assert {task.name for task in ASSIGNMENT.tasks} == set(causes)


@pytest.mark.grading
def test_a_students_hw1_is_carried_over(tmp_path):
    student, tree = tmp_path / "hw1", tmp_path / "hw2"
    release(load("hw1", PROJECT), PROJECT, student, [task.name for task in load("hw1", PROJECT).tasks])
    write(student, WALK, TEN_LINES)
    assert main(["release", "hw2", str(tree), "--from", str(student)]) == 0
    assert TEN_LINES in (tree / WALK.file).read_text(encoding="utf-8")
    said = pytest_in(tree, "hw/hw1/tests/test_reverse_mode.py")
    assert "failed" not in said and " passed" in said, said


@pytest.mark.grading
def test_the_programs_in_the_handout_run(solved):
    assert list(PROGRAMS) == ["scale", "grow", "bowl", "look", "train"]
    sizes = run_program(solved, PROGRAMS["scale"])
    assert sizes in HANDOUT and len(sizes.splitlines()) == 4, sizes
    said = run_program(solved, PROGRAMS["grow"])
    assert said == "no graph is kept alive across the 20 steps that were watched\n"
    assert run_program(solved, PROGRAMS["bowl"]).startswith("[")
    table = run_program(solved, PROGRAMS["look"]).splitlines()
    assert table[8].split() == ["modules.0", "Linear", "(100,", "50)", "5,050", "1,005,000"], table
    assert "\n".join(table[:9]) in HANDOUT


@pytest.mark.grading
def test_training_goes_as_the_handout_says(solved):
    said = run_program(solved, PROGRAMS["train"].replace("range(1, 6)", "range(1, 3)"))
    assert "9000 images to learn, 1000 to test" in said, said
    wrong = [float(number) for number in re.findall(r"test +(\S+)% wrong", said)]
    told = [float(number) for number in re.findall(r"test +(\S+)% wrong", HANDOUT)]
    assert len(wrong) == 2 and all(abs(a - b) < 1.5 for a, b in zip(wrong, told)), said


@pytest.mark.grading
def test_the_session_on_statistics_that_are_constants(changed):
    body = """        mean = ops.mean(x.data, axes=-1, keepdims=True)
        var = ops.var(x.data, axes=-1, keepdims=True)
        return self.weight * ((x - mean) / ops.sqrt(var + self.eps)) + self.bias
"""
    tree = changed(NORMALIZATION, "LayerNorm1d.forward", body)
    checked = run(tree, "hw", "check", "layer_norm")
    assert "It looks as if mean and variance are taken as constants." in checked, checked
    typed = "break op=Sqrt\ncontinue\ngraph #12 5\nnode #5\nquit\n"
    said = run(tree, "hw", "check", "layer_norm", "--debug", typed=typed)
    for line in (
        "[21] made #12 (1, 1) float64 = Sqrt(#11)",
        "          ┌─ #5 (1, 3) float64 = Tensor",
        "       ┌─ #6 (1, 1) float64 = Var(#5, axes=-1, keepdims=True)",
        "  requires_grad: False",
    ):
        assert line in said, said
        assert line in HANDOUT


def test_the_session_on_a_graph_that_grows(changed):
    body = """        mean, var = ops.mean(x, axes=0), ops.var(x, axes=0)
        self.running_mean = 0.9 * self.running_mean + 0.1 * mean
        self.running_var = 0.9 * self.running_var + 0.1 * var
        return self.weight * ((x - mean) / ops.sqrt(var + self.eps)) + self.bias
"""
    tree = changed(NORMALIZATION, "BatchNorm1d.forward", body)
    (tree / "grow.py").write_text(PROGRAMS["grow"], encoding="utf-8")
    said = run(tree, "grow")
    (line,) = (line for line in HANDOUT.splitlines() if line.startswith("GrowthWarning: "))
    assert line in said, said
    ask = "py model.modules[1].running_mean.op is None"
    typed = f"break op=Sqrt\ncontinue\ncontinue\n{ask}\nquit\n"
    assert ask in HANDOUT
    assert f"(needle) {ask}\nFalse\n" in run(tree, "needle.debug", "grow.py", typed=typed)


def test_the_session_on_a_step(solved):
    (solved / "bowl.py").write_text(PROGRAMS["bowl"], encoding="utf-8")
    typed = "break stepped\nbreak replaced\ncontinue\ncontinue\ncontinue\nadjoint #1\nquit\n"
    said = run(solved, "needle.debug", "bowl.py", typed=typed)
    shown = HANDOUT.partition("(needle) break stepped")[2].partition("(needle) quit")[0]
    for line in shown.splitlines():
        if line and line != "...":
            assert line in said, (line, said)
