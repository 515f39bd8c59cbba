"""Stepping with pdb, as a student does it: from ``a @ b`` to the kernel, through few frames that can be read."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from needle.backend_ndarray.ndarray import NDArray
from needle.places import PACKAGE
from tests.autograd.graphs import nd_only

SCRIPT = """\
import numpy as np
import needle as ndl

a, b = ndl.Tensor(np.ones((30, 30))), ndl.Tensor(np.ones((30, 30)))
with ndl.lazy_mode():
    z = ndl.exp(a) @ b


def user(x, y, lazy):
    product = x @ y
    return product


user(a, b, z)
print("ended with", type(z.cached_data).__name__)
"""
USER, PRODUCT = 10, 11  # lines: where `user` multiplies, and where it has

PROMPT = "(Pdb) "

#: A frame in what ``where`` prints, and where pdb says it has stopped.
FRAME = re.compile(r"^[> ] (?P<file>\S.*)\((?P<line>\d+)\)(?P<function>\S+?)\(\)", re.MULTILINE)


class Pdb:
    """pdb in a process of its own, that runs a script."""

    def __init__(self, script: Path) -> None:
        command = [sys.executable, "-m", "pdb", str(script)]
        self.process = subprocess.Popen(
            command,
            cwd=script.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.answer()

    def answer(self) -> str:
        """What it prints up to its prompt, or up to its end."""
        assert self.process.stdout is not None
        text = ""
        while not text.endswith(PROMPT):
            character = self.process.stdout.read(1)
            if not character:
                return text
            text += character
        return text.removesuffix(PROMPT)

    def ask(self, command: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def stopped(tmp_path: Path) -> Any:
    """pdb, stopped at the product in `user`."""
    script = tmp_path / "student.py"
    script.write_text(SCRIPT)
    pdb = Pdb(script)
    try:
        pdb.ask(f"break {script}:{USER}")
        assert "product = x @ y" in pdb.ask("continue")
        yield pdb
    finally:
        pdb.close()


def kernel_line() -> int:
    """The line of `NDArray.__matmul__` that calls the kernel."""
    lines, first = inspect.getsourcelines(NDArray.__matmul__)
    return first + next(i for i, line in enumerate(lines) if ".device.matmul(" in line)


@nd_only
def test_stepping_into_a_product_leads_to_the_kernel_through_six_readable_frames(stopped):
    (here,) = FRAME.finditer(stopped.ask("step").replace("--Call--", ""))
    assert (Path(here["file"]).name, here["function"]) == ("tensor.py", "__matmul__")
    for _ in range(40):
        (here,) = FRAME.finditer(stopped.ask("step"))
        if (Path(here["file"]).name, int(here["line"])) == ("ndarray.py", kernel_line()):
            break
    frames = [(frame["function"], frame["file"]) for frame in FRAME.finditer(stopped.ask("where"))]
    functions = [function for function, _ in frames]
    way = frames[functions.index("user") :]
    assert [function for function, _ in way] == [
        "user",
        "__matmul__",
        "__call__",
        "make_from_op",
        "compute",
        "__matmul__",
    ]
    for _, file in way[1:]:
        assert file.startswith(PACKAGE) and Path(file).is_file()


@nd_only
def test_looking_around_in_pdb_is_short_and_computes_nothing(stopped):
    for variable in ("x", "lazy"):
        text = stopped.ask(f"p {variable}")
        assert text.startswith("Tensor") and len(text) < 120 and text.count("\n") == 1
    assert stopped.ask("p lazy").rstrip().endswith("lazy")
    assert "lazy = Tensor" in stopped.ask("args")
    stopped.ask("pp vars(lazy), lazy.data, lazy.inputs[0].inputs, [getattr(lazy, name) for name in dir(lazy)]")
    stopped.ask("display lazy")
    assert stopped.ask("p lazy.cached_data, lazy.inputs[0].cached_data").strip() == "(None, None)"
    assert "return product" in stopped.ask("next")
    assert "ended with NoneType" in stopped.ask("continue")


def test_holders_can_be_asked_for_in_pdb_and_leave_the_variables_as_they_are(stopped):
    answer = stopped.ask("p [(holder.kind, holder.name, holder.hops) for holder in ndl.debug.holders(y)]")
    assert answer.strip() == "[('local', 'y', 0), ('global', 'b', 0), ('global', 'z', 1), ('local', 'lazy', 1)]"
    assert "return product" in stopped.ask("next")
    assert stopped.ask("p x is a, y is b, lazy is z, product.shape").strip() == "(True, True, True, (30, 30))"
    assert "ended" in stopped.ask("continue")
