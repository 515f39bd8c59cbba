"""hw1: the handout, the tests and the kept answers fit together, and what the handout shows is what happens."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from hw.assignment import FunctionName, load
from hw.functions import find
from hw.releasing import release
from hw.trees import MANIFEST

from .student_tree import PROJECT, pytest_in, run, run_program, write

ASSIGNMENT = load("hw1", PROJECT)
HANDOUT = (ASSIGNMENT.folder / "README.md").read_text(encoding="utf-8")
WALK = FunctionName("python/needle/reverse.py", "compute_gradient_of_variables")
ANSWER = (ASSIGNMENT.folder / "right" / "ten_lines.py").read_text(encoding="utf-8")
TEN_LINES = next(ANSWER[each.body : each.end] for each in find(ANSWER, WALK))


@pytest.fixture(scope="module")
def solved(tmp_path_factory, fresh):
    """A student's tree in which all is solved, and the walk in ten lines."""
    tree = tmp_path_factory.mktemp("hw1") / "solved"
    release(ASSIGNMENT, PROJECT, tree, [task.name for task in ASSIGNMENT.tasks])
    shutil.copyfile(fresh / MANIFEST, tree / MANIFEST)
    write(tree, WALK, TEN_LINES)
    return tree


@pytest.mark.grading
def test_the_library_passes_all_tests():
    assert " passed" in (said := pytest_in(PROJECT, "hw/hw1/tests", "hw/hw1/hidden")), said
    assert "failed" not in said and "error" not in said, said


@pytest.mark.grading
def test_no_case_passes_on_a_fresh_tree_and_each_names_a_task(fresh):
    said = pytest_in(fresh, "hw/hw1/tests", "--tb=line")
    assert " passed" not in said, said
    failed = int(re.search(r"(\d+) failed", said)[1])
    causes = re.findall(r"^E +NotImplementedError: hw1, task (\w+): ", said, re.MULTILINE)
    assert failed > 200 and len(causes) == failed, said
    assert {task.name for task in ASSIGNMENT.tasks} == set(causes)


def test_a_fresh_tree_can_be_imported_watched_and_recorded(fresh):
    program = """
import warnings
warnings.simplefilter("error")
import needle as ndl
with ndl.debug.record() as trace:
    a = ndl.Tensor([2.0, 3.0])
    y = a * a + 1
print(trace.nodes(op="EWiseMul"))
ndl.debug.view(trace, "graph.html")
try:
    ndl.grad(lambda x: x * x)(3.0)
except (ImportError, NotImplementedError) as error:
    print("withheld:", error)
"""
    said = run_program(fresh, program)
    assert "= EWiseMul(#1, #1)" in said and "withheld:" in said, said
    assert (fresh / "graph.html").stat().st_size > 10_000


def test_the_debugger_enters_a_tree_in_which_nothing_is_written(fresh):
    said = run(fresh, "hw", "check", "3", "--case", "4", "--debug", typed="step\nquit\n")
    assert "Case 4, test_gradient_of_the_numerator" in said
    assert "the gradient of #3 EWiseDiv(#1 (1,), #2 (1,)) failed" in said
    assert "NotImplementedError: hw1, task arithmetic_gradients: EWiseDiv.gradient in python/needle/ops" in said, said


@pytest.mark.grading
def test_the_debugger_shows_the_students_own_lines(solved):
    """A sum_to that forgets axes of extent 1: the error comes from deep in the library."""
    function = FunctionName("python/needle/ops/reduce.py", "sum_to")
    path = solved / function.file
    before = path.read_text(encoding="utf-8")
    forgetful = "    axes = tuple(range(len(a.shape) - len(shape)))\n    return summation(a, axes).reshape(shape)\n"
    write(solved, function, forgetful)
    line = path.read_text(encoding="utf-8").splitlines().index(forgetful.splitlines()[1]) + 1
    try:
        checked = run(solved, "hw", "check", "broadcast_gradient")
        said = run(solved, "hw", "check", "broadcast_gradient", "--case", "8", "--debug", typed="step\nstep\nquit\n")
    finally:
        path.write_text(before, encoding="utf-8")
    assert f"  python/needle/ops/reduce.py:{line} in sum_to\n" in checked, checked
    assert f"> reduce.py:{line} in sum_to\n-> return summation(a, axes).reshape(shape)\n" in said, said


@pytest.mark.grading
def test_a_students_walk_can_be_stepped_through(solved):
    """The session that the handout shows for reverse_mode, and the check that a wrong share is seen."""
    broken = TEN_LINES.replace("shares.setdefault(x, []).append(share)", "shares[x] = [share]")
    write(solved, WALK, broken)
    typed = "break backward op=EWiseAdd\ncontinue\nnext\nadjoint #1\nquit\n"
    try:
        checked = run(solved, "hw", "check", "reverse_mode")
        stepped = run(solved, "hw", "check", "reverse_mode", "--case", "9", "--debug", typed=typed)
    finally:
        write(solved, WALK, TEN_LINES)
    assert "It looks as if only one share is kept, of several." in checked, checked
    assert "--case 9" in checked
    assert "hands its input 1, #1 (3,), the adjoint #3 (3,)" in stepped, stepped
    assert "sum of 2 contributions so far: min 2  max 2  mean 2" in stepped
    assert "[2. 2. 2.]" in stepped


@pytest.mark.grading
def test_the_programs_in_the_handout_run(solved):
    blocks = re.findall(r"```python\n(import .*?|from pathlib .*?)```", HANDOUT, re.DOTALL)
    bias, look, train = blocks
    assert run_program(solved, bias) == "[3. 3.]\n"
    assert "MatMul(" in run_program(solved, look) and (solved / "step.html").is_file()
    said = run_program(solved, train.replace("range(1, 11)", "range(1, 2)"))
    assert "9000 images to learn, 1000 to test" in said, said
    assert float(re.search(r"test error (.*)%", said)[1]) < 15


def test_the_session_on_broadcasting(solved):
    (program,) = re.findall(r"```python\n(import needle as ndl\n\nrows .*?)```", HANDOUT, re.DOTALL)
    (solved / "bias.py").write_text(program, encoding="utf-8")
    typed = "break op=Summation\ncontinue\ngraph\nbreak backward op=BroadcastTo\ncontinue\nadjoint #1\nquit\n"
    said = run(solved, "needle.debug", "bias.py", typed=typed)
    for line in (
        "       ┌─ #2 (3, 2) float64 = BroadcastTo(#1, shape=(3, 2))",
        "hands its input 0, #1 (2,), the adjoint #10 (2,)",
        "sum: min 3  max 3  mean 3",
    ):
        assert line in said, said
        assert line.strip() in HANDOUT


@pytest.mark.grading
def test_the_session_on_infinities(solved):
    gradient = FunctionName("python/needle/ops/logarithmic.py", "LogSumExp.gradient")
    path = solved / gradient.file
    before = path.read_text(encoding="utf-8")
    first_form = """        from .functions import exp

        (a,) = node.inputs
        e = exp(a)
        return self.spread(out_grad / summation(e, self.axes, self.keepdims), a.shape) * e
"""
    write(solved, gradient, first_form)
    try:
        typed = "until inf\ninputs\nuntil nan\ngraph\nquit\n"
        said = run(solved, "hw", "check", "logsumexp", "--debug", typed=typed)
    finally:
        path.write_text(before, encoding="utf-8")
    for line in (
        "[2] made #2 (1, 2) float64 = Exp(#1)",
        "[13] made #8 (1, 2) float64 = EWiseMul(#7, #2)",
        "      2 NaN",
    ):
        assert line in said, said
        assert line in HANDOUT


@pytest.mark.grading
def test_the_session_on_a_sign(solved):
    gradient = FunctionName("python/needle/ops/elementwise.py", "EWiseDiv.gradient")
    path = solved / gradient.file
    before = path.read_text(encoding="utf-8")
    write(solved, gradient, "        a, b = node.inputs\n        return out_grad / b, out_grad * a / (b * b)\n")
    try:
        checked = run(solved, "hw", "check", "arithmetic_gradients")
        typed = "break backward op=EWiseDiv\ncontinue\ngradcheck\nquit\n"
        said = run(solved, "hw", "check", "arithmetic_gradients", "--debug", typed=typed)
    finally:
        path.write_text(before, encoding="utf-8")
    shown = HANDOUT.partition("\nCase 7")[2].partition("\nSee it again")[0]
    assert " ".join(shown.split()) in " ".join(checked.split()), checked
    for line in HANDOUT.splitlines():
        if line.startswith(("input 0 (1,)", "input 1 (1,)")):
            assert line in said, said


def memory(process):
    """What a process and its descendants have in memory, in bytes; what they share counts once."""
    children = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                children.setdefault(int(parent), []).append(int(folder.name))
    waiting, total = [process], 0
    while waiting:
        each = waiting.pop()
        waiting += children.get(each, [])
        with suppress(OSError, AttributeError):
            total += int(re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{each}/smaps_rollup").read_text(), re.MULTILINE)[1])
    return total << 10


@pytest.mark.grading
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what is asked")
def test_grading_the_solution_takes_a_third_of_the_memory_and_little_of_the_time_that_gradescope_gives(
    solved, tmp_path
):
    """Its default container has half a CPU and 768 MB, for ten minutes; and grading shall take 30 seconds on a CPU."""
    import resource

    command = [sys.executable, "-m", "hw", "grade", str(solved), "--json", str(tmp_path / "results.json")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    largest = 0
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            largest = max(largest, memory(process.pid))
            time.sleep(0.05)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    computed = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert json.loads((tmp_path / "results.json").read_text())["score"] == 100
    assert 50 << 20 < largest < 256 << 20
    assert computed < 30
