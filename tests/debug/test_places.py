"""Where a tensor comes from: in its `repr`, and in errors of its derivative, where somebody keeps it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn
from tests.autograd.graphs import counted_computations, nd_only, tensor

PROGRAM = """
import needle as ndl

class Bad(ndl.TensorOp):
    def compute(self, a):
        return a * 2
    def gradient(self, out_grad, node):
        return ndl.reshape(out_grad, (7,))

x = ndl.Tensor([1.0, 2.0])
y = Bad()(x)
print(repr(y))
y.sum().backward()
"""


@pytest.mark.skipif(sys.version_info < (3, 11), reason="variables name tensors from Python 3.11 on")
def test_a_recorded_tensor_has_its_number_name_inputs_and_line():
    x = tensor([1.0, 2.0])
    with ndl.debug.record():
        with ndl.lazy_mode():
            y = x + 1
            z = ndl.summation(y, axes=(0,))
        with counted_computations() as counts:
            shown = repr(x), repr(y), repr(z)
        pair = repr(ndl.make_tuple(x, x))
    line = shown[1].rpartition(":")[2]
    assert shown[0] == "Tensor #1 (2,) float32 [1, 2]"
    assert shown[1] == f"Tensor #2 'y' (2,) float32 = AddScalar(#1, scalar=1), lazy, at test_places.py:{line}"
    assert shown[2].startswith("Tensor #3 'z' () float32 = Summation(#2, axes=(0,), keepdims=False), lazy, at test_")
    assert not counts and pair.startswith("TensorTuple #4 ((2,), (2,)) = MakeTensorTuple(#1, #1), at test_places.py:")
    assert repr(y) == "Tensor (2,) float32 = AddScalar(scalar=1), lazy"


@nd_only
@pytest.mark.parametrize("debug", ["0", "1"])
def test_needle_debug_keeps_the_line_of_every_tensor_and_otherwise_errors_say_how_to_get_it(debug: str, tmp_path: Path):
    (tmp_path / "program.py").write_text(PROGRAM)
    path = str(Path(ndl.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "NEEDLE_DEBUG": debug},
        capture_output=True,
        text=True,
    )
    place = ", at program.py:11" if debug == "1" else ""
    assert done.stdout == f"Tensor (2,) float32 [2, 4] = Bad(){place}\n"
    where = "forward pass: program.py:11 in <module>: y = Bad()(x)"
    hint = "NEEDLE_DEBUG=1 tells which line of the forward pass made it"
    assert done.stderr.strip().endswith(f"in the derivative of Bad ({where if debug == '1' else hint})")


class Odd(ndl.TensorOp):
    """Attributes of every kind."""

    def __init__(self, attribute: Any) -> None:
        self.attribute = attribute

    def compute(self, a: Any) -> Any:
        return a


@pytest.mark.parametrize(
    ("attribute", "shown"),
    [
        (list(range(10**6)), "(0, 1, 2, 3, 4, 5, ...)"),
        (np.zeros(10**6), "<array (1000000,)>"),
        (type("Broken", (), {"__repr__": lambda self: 1 / 0})(), "Broken"),
        ("a" * 1000, "'aaaaaaaaaaaaaaaaa...'"),
        ((slice(0, None), slice(None, None, 2), 3), "(0:, ::2, 3)"),
        (np.float32(0.5), "0.5"),
        (None, "None"),
    ],
)
def test_the_repr_of_an_op_is_short_and_never_raises(attribute: Any, shown: str):
    op = Odd(attribute)
    assert repr(op) == f"Odd(attribute={shown})"
    assert repr(op(tensor([1.0]))) == f"Tensor (1,) float32 [1] = Odd(attribute={shown})"


@pytest.mark.parametrize("text", ["x" * 500, "two\nlines", None])
def test_a_repr_of_ones_own_that_is_long_or_raises_is_replaced_by_the_class(text: Any):
    class Own(Odd):
        def __repr__(self) -> str:
            return text

    assert repr(Own(1)(tensor([1.0]))).endswith("= Own(...)")


def test_notebooks_show_tensors_and_modules():
    assert "<svg" in (tensor([1.0]) * 2)._repr_html_() and "Linear" in nn.Sequential(nn.Linear(2, 3))._repr_html_()
