"""hw7: the handout, the tests and the kept answers fit together, and what the handout shows is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from hw.assignment import load

from .student_tree import PROJECT, pytest_in, run, run_program

ASSIGNMENT = load("hw7", PROJECT)
HANDOUT = (ASSIGNMENT.folder / "README.md").read_text(encoding="utf-8")
NAMES = ("listen", "look", "ways", "blame", "why", "nan", "slow", "alive", "bugs")
PROGRAMS = dict(zip(NAMES, re.findall(r"```python\n(.*?)```", HANDOUT, re.DOTALL)))
RECORDER, ANOMALY = "hw/hw7/recorder.py", "hw/hw7/anomaly.py"


def printed(name):
    """What the handout says that a program prints; lines of dots stand for others."""
    behind = HANDOUT.partition(f"`{name}.py`")[2].partition("```\n\n```\n")[2].partition("\n```")[0]
    return [line for line in behind.splitlines() if line.strip() != "..."]


def test_the_handout_says_how_much_there_is():
    assert f"in which {sum(len(task.functions) for task in ASSIGNMENT.tasks)} functions are missing" in HANDOUT
    assert len(ASSIGNMENT.files) == 6 and "the six files" in HANDOUT
    assert all(f"ave as\n`{name}.py`" in HANDOUT or f"ave as `{name}.py`" in HANDOUT for name in NAMES)


def test_the_tool_stands_on_the_two_doors_of_needle_alone():
    for file in ASSIGNMENT.files:
        imported = re.findall(r"^from (needle\S*) import", (PROJECT / file).read_text(encoding="utf-8"), re.MULTILINE)
        assert set(imported) <= {"needle.autograd", "needle.listening", "needle.places"}, file


@pytest.mark.grading
def test_the_tree_has_the_stepper_and_no_tool_that_answers(fresh):
    left = {path.name for path in (fresh / "python/needle/debug").glob("*.py")}
    assert {"stepper.py", "recorder.py"} <= left
    assert not left & {"anomaly.py", "profile.py", "growth.py", "origins.py"}
    said = run_program(fresh, "import needle as ndl\nwith ndl.debug.record() as trace:\n    ndl.Tensor([1.0]) + 1\n")
    assert said == ""


@pytest.mark.grading
def test_the_solution_passes_all_tests_on_its_own_and_with_warnings_as_errors():
    environment = os.environ | {"NEEDLE_BACKEND": "np"}
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    done = subprocess.run(
        [*command, "hw/hw7/tests", "hw/hw7/hidden"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.grading
def test_no_case_passes_on_a_fresh_tree_and_each_names_a_task(fresh):
    said = pytest_in(fresh, "hw/hw7/tests", "--tb=line")
    assert " passed" not in said, said
    failed = int(re.search(r"(\d+) failed", said)[1])
    causes = re.findall(r"NotImplementedError: hw7, task (\w+): ", said)
    assert failed > 100 and set(causes) <= {task.name for task in ASSIGNMENT.tasks}


@pytest.mark.grading
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("slow", "bugs")])
def test_a_program_of_the_handout_prints_what_it_says(solved, name):
    (solved / f"{name}.py").write_text(PROGRAMS[name], encoding="utf-8")
    said, expected = " ".join(run(solved, name).split()), printed(name)
    assert expected
    for line in expected:
        assert " ".join(line.split()) in said, (line, said)


@pytest.mark.grading
def test_the_profile_and_the_three_bugs(solved):
    said = run_program(solved, PROGRAMS["slow"])
    assert re.search(r"^ +\d+ .* MatMul$", said, re.MULTILINE) and "Sequential.modules.0" in said, said
    found = run_program(solved, PROGRAMS["bugs"]).splitlines()
    assert found[0] == "healthy: nothing found" and len(found) == 4
    assert [line.split(": ")[1] for line in found[1:]] == ["exploding", "growing graph", "no gradient"], found


def without_numbers(text):
    """A session without the numbers of lines, which other changes move."""
    return re.sub(r"(\.py):\d+", r"\1", text)


def session(said, shown):
    for line in without_numbers(shown).splitlines():
        assert not line.strip() or line in without_numbers(said), (line, said)


@pytest.mark.grading
def test_the_session_on_lazy_mode(changed):
    changed(RECORDER, "Recorder.made", "        pass\n")
    body = """        with self.lock:
            self._write(node, op, inputs)
            record = self.nodes[self.number(node)]
            record.seconds, record.nbytes = seconds, bytes_of(node.cached_data)
"""
    tree = changed(RECORDER, "Recorder.computed", body)
    checked = run(tree, "hw", "check", "records")
    assert "expected  ['EWiseAdd', 'double', None, 0]" in checked and "found     ['', None, None, 0]" in checked, (
        checked
    )
    typed = "step\npy len(recorder.nodes)\nquit\n"
    said = run(tree, "hw", "check", "records", "--debug", typed=typed)
    session(
        said,
        HANDOUT.partition("python -m hw check records --debug`")[2].partition("```\n")[2].partition("(needle) quit")[0],
    )


@pytest.mark.grading
def test_the_session_on_a_walk(changed):
    text = (PROJECT / ANOMALY).read_text(encoding="utf-8")
    body = text.partition("        super().computed(node, op, inputs, seconds)\n")[2].partition("    def share")[0]
    wrong = "        super().computed(node, op, inputs, seconds)\n" + body.replace("if not record.walk:", "if True:")
    tree = changed(ANOMALY, "Detector.computed", wrong)
    assert "found     ['Inf', 'forward', 'PowerScalar', 'program']" in run(tree, "hw", "check", "anomaly")
    said = run(tree, "hw", "check", "anomaly", "--debug", typed="continue\nquit\n")
    assert "-> root(x).sum().backward()" in said and "the gradient of #2 PowerScalar(#1 (2,)) failed" in said, said
