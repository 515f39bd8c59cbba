"""hw6: the handout, the tests and the kept answers fit together, and what the handout shows is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from hw.assignment import load
from hw.releasing import release

from .student_tree import PROJECT

ASSIGNMENT = load("hw6", PROJECT)
HANDOUT = (ASSIGNMENT.folder / "README.md").read_text(encoding="utf-8")
PROGRAMS = dict(zip(("look", "fuse", "plan", "train"), re.findall(r"```python\n(.*?)```", HANDOUT, re.DOTALL)))
RECORD = """
from hw.hw6.tests.machine import record
from hw.hw6.tests.training import Step
from tests.hw.test_hw6 import written
step = Step()
print(written(record(step, step.images, step.labels)))
"""


def with_project(program, typed=""):
    """What a program prints with the project's Needle on NumPy's device, without fused kernels."""
    settings = {"NEEDLE_BACKEND": "nd", "NEEDLE_FUSED": "0", "PYTHONPATH": f"{PROJECT / 'python'}{os.pathsep}{PROJECT}"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command,
        env=os.environ | settings,
        cwd=PROJECT,
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def written(program):
    """A program in the language of hw/hw6/tests/programs.py."""
    from hw.hw6.tests.programs import outcome, strides_of
    from needle.compiled.program import Operand

    known = {}

    def operand(x):
        if known.get(x.buffer) == x:
            return f"%{x.buffer}"
        compact = x.strides == strides_of(x.shape) and x.offset == 0
        parts = [", ".join(map(str, part)) for part in (x.shape, x.strides, (x.offset,))]
        return f"%{x.buffer}[{parts[0] if compact else '; '.join(parts)}]"

    def argument(x):
        return operand(x) if isinstance(x, Operand) else str(x) if type(x).__name__ == "Slot" else repr(x)

    def declared(x):
        known[x.buffer] = x
        dtype = program.buffers[x.buffer].dtype
        extents = ", ".join(map(str, x.shape))
        return f"%{x.buffer}{'' if dtype == 'float32' else f' {dtype}'}[{extents}]"

    lines = []
    for source in program.sources:
        assert source.strides == strides_of(source.shape) and source.offset == 0
        whole = Operand(source.buffer, source.shape, source.strides)
        lines.append(f"{declared(whole)} {'captured' if source.position is None else 'input'}")
    lines += [f"${i} = {float(value)}" for i, value in enumerate(program.tape.values)]
    for instruction in program.instructions:
        given = ", ".join(argument(x) for x in instruction.arguments if x not in instruction.outputs)
        outputs = [operand(x) if x.buffer in known else declared(x) for x in instruction.outputs]
        lines.append(f"{', '.join(outputs)} = {instruction.kernel}({given})")
    for source, attribute, value in program.effects:
        name = {"cached_data": "data"}.get(attribute, attribute)
        lines.append(f"%{program.sources[source].buffer}.{name} <- {operand(value)}")
    assert list(outcome(program))
    return "\n".join([*lines, f"return {operand(program.result)}"])


def test_the_handout_says_how_much_there_is():
    assert f"and {sum(len(task.functions) for task in ASSIGNMENT.tasks)} functions of `needle.compiled`" in HANDOUT
    assert len(ASSIGNMENT.files) == 5 and "out of the five files" in HANDOUT
    assert list(PROGRAMS) == ["look", "fuse", "plan", "train"]


def test_the_stages_are_those_of_the_tests():
    tests = (ASSIGNMENT.folder / "tests" / "test_speed.py").read_text(encoding="utf-8")
    asked = re.findall(r"check_at_most\((?:len\(after\.instructions\)|after\.\w+), (\d+),", tests)
    part = HANDOUT.partition("| stage | passes | at most |")[2].partition("\n\n")[0]
    assert re.findall(r"\| ([\d,]+) ", part)[1::2] == [f"{int(count):,}" for count in asked]


@pytest.mark.grading
def test_the_training_step_is_what_the_library_records():
    from hw.hw6.tests.recorded import TRAINING_STEP

    assert with_project(RECORD).strip() == TRAINING_STEP.strip()


@pytest.mark.grading
@pytest.mark.parametrize("name", ["look", "fuse", "plan", "train"])
def test_the_programs_in_the_handout_print_what_it_says(name, tmp_path):
    (tmp_path / "look.py").write_text(PROGRAMS[name], encoding="utf-8")
    said = with_project(f"import runpy; runpy.run_path({str(tmp_path / 'look.py')!r}, run_name='__main__')")
    assert f"```\n{said}```" in HANDOUT, said


@pytest.mark.grading
def test_the_session_on_a_recording(tmp_path):
    (tmp_path / "look.py").write_text(PROGRAMS["look"], encoding="utf-8")
    shown = HANDOUT.partition("(needle) break op=ReLU")[2].partition("(needle) quit")[0]
    typed = "break op=ReLU\n" + "\n".join(re.findall(r"^\(needle\) (.*)$", shown, re.MULTILINE)) + "\nquit\n"
    path = str(tmp_path / "look.py")
    debugger = "runpy.run_module('needle.debug', run_name='__main__', alter_sys=True)"
    said = with_project(f"import runpy, sys; sys.argv[1:] = [{path!r}]; {debugger}", typed)
    for line in shown.splitlines():
        assert line in said, (line, said)


@pytest.mark.grading
def test_a_released_tree_imports_without_the_extension(tmp_path):
    release(ASSIGNMENT, PROJECT, tmp_path / "fresh")
    program = "import needle as ndl; print(ndl.__file__, ndl.Tensor([1.0], device=ndl.cpu_numpy()) + 1)"
    command = f"import sys; sys.path.insert(0, {str(tmp_path / 'fresh' / 'python')!r})\n"
    command += f"from hw import trees; from pathlib import Path; trees.prefer(Path({str(tmp_path / 'fresh')!r}))\n"
    said = with_project(command + program)
    assert str(tmp_path) in said and "[2.]" in said, said
