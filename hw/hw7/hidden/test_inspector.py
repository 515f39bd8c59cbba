"""Other trainings, other bugs, and none."""

from __future__ import annotations

import numpy as np
import pytest

from hw.hw7.hidden import programs
from hw.hw7.inspector import Inspector
from hw.hw7.tests.programs import healthy
from hw.hw7.tests.test_inspector import growing, inspector_of, texts
from hw.testing import hint, same
from needle import nn, optim
from needle.autograd import Tensor
from needle.listening import listening

KEEPS = "momentum: average = param.grad * 0.1 if average is None else average * 0.9 + param.grad"
EXPECTED = {
    "momentum": [["growing graph", KEEPS]],
    "history": [["growing graph", "mean_square: return (error * error).sum() / error.shape[0]"]],
    "frozen": [["no gradient", "first.weight"], ["no gradient", "first.bias"]],
    "both": [["no gradient", "parameter 5"], ["exploding", "step 1"]],
    "short": [],
    "lately": [],
}


@hint("Each finding as in the public tests.")
@pytest.mark.parametrize("name", list(EXPECTED))
def test_other_programs(name):
    with np.errstate(all="ignore"), listening(Inspector()) as inspector:
        getattr(programs, name)()
    same(texts(inspector.findings()), EXPECTED[name], of=f"what is wrong with {name}")


@hint("A program without a bug has no findings, however long it runs.")
@pytest.mark.parametrize("steps", [0, 1, 15])
def test_healthy(steps):
    with listening(Inspector()) as inspector:
        healthy(steps)
    same([len(inspector.steps), len(inspector.findings())], [steps, 0], of="the number of steps, and of findings")


@hint("The squares of large float32 numbers are too large for float32.")
def test_large_gradients():
    param = nn.Parameter(np.ones(4), dtype="float32")
    param.grad = Tensor(np.full(4, 1e30), dtype="float32", requires_grad=False)
    with listening(Inspector()) as inspector:
        optim.SGD([param], lr=0.1).step()
    same(inspector.steps[0].norm / 1e30, 2.0, of="the norm, divided by 1e30")


@hint("The norm doubled exactly counts; one of 0 never does, and breaks the row.")
@pytest.mark.parametrize(
    ("norms", "step"),
    [
        ([0.0, 1.0, 2.0, 4.0], 1),
        ([1.0, 2.0, 0.0, 4.0, 8.0], None),
        ([1.0, 2.0, 0.0, 4.0, 8.0, 16.0], 3),
        ([float("nan")] * 4, 1),
        ([8.0, 4.0, 2.0, 1.0], None),
        ([1.0, 2.0, 4.0, 8.0, 8.0], 1),
        ([3.0, 2.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0], 3),
        ([1.0, 3.0, 5.0, 11.0, 30.0, 70.0], 3),
    ],
)
def test_rows(norms, step):
    expected = [] if step is None else [["exploding", f"step {step}"]]
    same(texts(inspector_of(norms).exploding()), expected, of="the findings", given={"norms": norms})


@hint("A line grows if more of its nodes are alive than after the step before, however many there were earlier.")
@pytest.mark.parametrize("others", [[[50], [50], [50], [50, 51], [50, 51], [50, 51]], [[50, 51, 52]] * 5 + [[51, 52]]])
def test_lines_that_do_not_grow(others):
    nodes = {f"n{i}": ("keep", ()) for i in range(1, 12)}
    nodes |= {"n50": ("other", ()), "n51": ("other", (50,)), "n52": ("other", (51,))}
    alive = [[*range(1, 2 * step), *other] for step, other in enumerate(others, start=1)]
    same(growing(alive, **nodes), [["growing graph", "keep: "]], of="the findings")


@hint("Of several nodes that hold others, it is the newest of a line that grows.")
def test_several_holders():
    nodes = {f"n{i}": ("early" if i % 2 else "late", ()) for i in range(1, 9)}
    alive = [range(1, 2 * step + 1) for step in range(1, 5)]
    same(growing(alive, **nodes), [["growing graph", "late: "]], of="the findings")
    nodes["n9"] = ("anew", (6,))
    same(growing([*alive[:3], range(1, 10)], **nodes), [["growing graph", "anew: "]], of="the findings with one more")
