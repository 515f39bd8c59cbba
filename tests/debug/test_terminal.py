"""``python -m needle.debug`` as a user meets it: in a terminal, fed from a pipe, and after a crash."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from needle import backend_selection

TRAIN = """
import sys
import numpy as np
import needle as ndl
from needle import nn

def train(steps):
    np.random.seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    x = ndl.Tensor(np.ones((5, 3)), requires_grad=False)
    for step in range(steps):
        loss = (model(x) ** 2).sum()
        loss.backward()
    return loss

print("trained", float(train(int(sys.argv[1]))) > 0)
"""

IN_CODE = """
import numpy as np
import needle as ndl

def f(x):
    h = ndl.exp(x)
    return h @ h

x = ndl.Tensor(np.ones((2, 3)))
ndl.debug.set_trace(header="here we are")
y = x * 2
breakpoint()
try:
    f(x)
except ValueError as error:
    ndl.debug.pm(error)
print("went on")
"""


pytestmark = [
    pytest.mark.skipif(backend_selection.BACKEND != "nd", reason="the programs show float32, the default"),
    pytest.mark.skipif(sys.version_info < (3, 11), reason="variables name tensors from Python 3.11 on"),
]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_text(TRAIN)
    return path


def environment(**more: str) -> dict[str, str]:
    here = Path(__file__).resolve().parents[2] / "python"
    return {**os.environ, "PYTHONPATH": str(here), "TERM": "xterm", "COLUMNS": "80", **more}


def fed(arguments: list[str], commands: str, folder: Path, **more: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, *arguments],
        input=commands,
        cwd=folder,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout


class Terminal:
    """A pseudo-terminal with the debugger in it, and somebody who types."""

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self.text = ""
        self.process, self.descriptor = pty.fork()
        if not self.process:
            os.chdir(folder)
            os.execve(sys.executable, [sys.executable, *arguments], environment())

    def read_to(self, end: str) -> str:
        """What it shows until it shows `end`."""
        begin, limit = len(self.text), time.monotonic() + 60
        while end not in self.text[begin:]:
            ready, _, _ = select.select([self.descriptor], [], [], max(0, limit - time.monotonic()))
            assert ready, f"no {end!r} in {self.text[begin:]!r}"
            try:
                self.text += os.read(self.descriptor, 65536).decode()
            except OSError:  # it has ended
                break
        return self.text[begin:]

    def type(self, keys: str, end: str = "(needle) ") -> str:
        os.write(self.descriptor, keys.encode())
        return self.read_to(end)

    def end(self) -> int:
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def test_in_a_terminal_it_has_colours_history_completion_and_an_exit_status(program: Path):
    terminal = Terminal(["-m", "needle.debug", program.name, "300000"], program.parent)
    assert "train.py: break, step or continue" in terminal.read_to("(needle) ")
    terminal.type("break op=ReLU\n")
    shown = terminal.type("c\n")
    assert re.search(r"\x1b\[1mmade #\d+ \(5, 4\) float32 = ReLU\(#\d+\) in modules.1\x1b\[0m", shown)
    assert "loss = (model(x) ** 2).sum()" in shown
    assert "gradcheck" in terminal.type("gradc\t\n")
    assert "right in all 20 entries" in terminal.text
    assert "breakpoint 3: op=ReLU" in terminal.type("\x1b[A\x1b[A\x1b[A\n")  # three lines up in the history
    terminal.type("clear\n")
    terminal.type("c\n", end="\n")
    time.sleep(0.3)
    assert "interrupted" in terminal.type("\x03") and "] " in terminal.text.rpartition("interrupted")[2]
    terminal.type("q\n", end="\x00")
    assert terminal.end() == 0


def test_commands_from_a_pipe_and_from_the_command_line(program: Path):
    arguments = ["-m", "needle.debug", "-c", "break name=loss", "--keep", "1000", program.name, "2"]
    status, shown = fed(arguments, "c\nback 3\ns\nclear\nc\nc\nback\nq\n", program.parent)
    assert status == 0 and "trained True" in shown and "\x1b" not in shown
    assert "(needle) break name=loss\nbreakpoint 2: name=loss" in shown
    assert "the program has ended, after" in shown and "in the past: the present is" in shown
    status, shown = fed(["-m", "needle.debug", "none.py"], "", program.parent)
    assert status == 2 and "there is no file none.py" in shown


def test_a_program_that_fails_can_be_looked_at(program: Path):
    status, shown = fed(["-m", "needle.debug", program.name, "many"], "c\nwhere\np sys.argv[1]\nq\n", program.parent)
    assert status == 1 and "ValueError: invalid literal" in shown and "the program has failed, after 0 events" in shown
    assert "'many'" in shown and "runpy" not in shown


def test_set_trace_breakpoint_and_pm(tmp_path: Path):
    (tmp_path / "broken.py").write_text(IN_CODE)
    commands = "s\np y\nc\ndetach\nwhere\ngraph h\nvalue h\np h.shape\nq\n"
    status, shown = fed(["broken.py"], commands, tmp_path, PYTHONBREAKPOINT="needle.debug.set_trace")
    assert status == 0 and "went on" in shown
    assert "here we are\n> broken.py:10 in <module>" in shown and "made #2 'y' (2, 3) float32 = MulScalar(#1" in shown
    assert "> broken.py:12 in <module>\n-> breakpoint()" in shown
    after = shown[shown.index("ValueError: matmul") :]
    assert "broken.py:7 in f: return h @ h" in after and "'h' (2, 3) float32 = Exp(#1)" in after
    assert "2.7183" in after and "(2, 3)\n" in after
