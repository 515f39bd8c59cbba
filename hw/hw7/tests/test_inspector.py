"""What is wrong with a training: steps, and what they tell."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.hw7.inspector import Inspector, Step
from hw.hw7.recorder import Node
from hw.hw7.tests import programs
from hw.hw7.tests.checks import double, leaf, square
from hw.testing import hint, same
from needle import nn, optim
from needle.listening import listening


def parameters(*grads):
    """Parameters of shape (2,), with gradients that are all the same number, or without."""
    found = [nn.Parameter(np.ones(2)) for _ in grads]
    for param, grad in zip(found, grads):
        param.grad = None if grad is None else leaf(2, value=grad, requires_grad=False)
    return found


@hint("One norm for all gradients together; a parameter whose grad is None is missing.")
@pytest.mark.parametrize(
    ("grads", "norm", "missing"),
    [
        ((3.0,), 18**0.5, []),
        ((3.0, -4.0), 50**0.5, []),
        ((None, 1.0, None), 2**0.5, ["parameter 0", "parameter 2"]),
        ((None,), 0.0, ["parameter 0"]),
        ((0.0,), 0.0, []),
    ],
)
def test_a_step(grads, norm, missing):
    opt = optim.SGD(parameters(*grads), lr=0.1)
    inspector = Inspector()
    with listening(inspector):
        opt.step()
    same(len(inspector.steps), 1, of="how many steps were noted")
    step = inspector.steps[0]
    same(step.norm, norm, of="the norm", given={"gradients": list(grads)})
    same(list(step.missing), missing, of="the missing parameters")


@hint("Nodes that are alive and were made in a forward pass; those of a walk have another number there than 0.")
def test_alive():
    x = nn.Parameter(np.ones(2))
    opt = optim.SGD([x], lr=0.1)
    with listening(Inspector()) as inspector:
        y = square(x).sum()
        y.backward()
        double(x)
        opt.step()
        numbers = [inspector.number(y), inspector.number(y.inputs[0])]
    same(sorted(inspector.steps[0].alive), sorted(numbers), of="the numbers of the forward nodes that are alive")


def inspector_of(norms=(), missing=None, alive=None):
    """An inspector that has seen these steps."""
    inspector, count = Inspector(), max(len(norms), len(missing or ()), len(alive or ()))
    for i in range(count):
        seen = frozenset(alive[i] if alive else ())
        inspector.steps.append(Step(seen, norms[i] if norms else 1.0, tuple(missing[i] if missing else ())))
    return inspector


def texts(findings):
    """Findings as lists."""
    return [[each.what, each.where] for each in findings]


@hint("Missing in every step; in the order of the first step.")
@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ([["b", "a"], ["a", "b"]], ["b", "a"]),
        ([["a"], []], []),
        ([[], ["a"]], []),
        ([["a", "b"], ["b"]], ["b"]),
        ([], []),
    ],
)
def test_without_gradient(missing, expected):
    found = texts(inspector_of(missing=missing).without_gradient())
    same(found, [["no gradient", name] for name in expected], of="the findings", given={"missing": missing})


@hint("Three doublings in a row: four norms, each at least twice the one before.")
@pytest.mark.parametrize(
    ("norms", "step"),
    [
        ([1.0, 2.0, 4.0, 8.0], 1),
        ([1.0, 2.0, 4.0], None),
        ([1.0, 2.0, 4.0, 7.9], None),
        ([5.0, 1.0, 3.0, 9.0, 30.0, 100.0], 2),
        ([1.0, 2.0, 4.0, 5.0, 10.0, 20.0, 40.0], 4),
        ([1.0, 10.0, float("inf"), float("nan")], 1),
        ([0.0, 0.0, 0.0, 0.0], None),
        ([], None),
    ],
)
def test_exploding(norms, step):
    expected = [] if step is None else [["exploding", f"step {step}"]]
    same(texts(inspector_of(norms).exploding()), expected, of="the findings", given={"norms": norms})


def growing(alive, **nodes):
    """The findings of an inspector to which these nodes are known: ``n3=("loss", (1, 2))``."""
    inspector = inspector_of(alive=alive)
    for name, (function, inputs) in nodes.items():
        number = int(name[1:])
        line = ndl.places.Line("train.py", sum(map(ord, function)), function)
        inspector.nodes[number] = Node(number, "EWiseAdd", inputs, line=line)
    return texts(inspector.growing())


@hint("More nodes after each of the last three steps; four steps are needed to see that.")
@pytest.mark.parametrize(
    ("counts", "grows"),
    [
        ([1, 2, 3, 4], True),
        ([1, 2, 3], False),
        ([1, 2, 2, 3], False),
        ([1, 3, 2, 4], False),
        ([4, 3, 4, 5, 6], True),
        ([1, 2, 3, 4, 4], False),
    ],
)
def test_growing(counts, grows):
    alive = [range(1, count + 1) for count in counts]
    found = growing(alive, **{f"n{i}": ("keep", ()) for i in range(1, 7)})
    same(found, [["growing graph", "keep: "]] if grows else [], of="the findings", given={"nodes alive": counts})


@hint("Of the nodes that are there from before, or made from such, the newest holds the others.")
def test_what_holds_them():
    # In each step a loss, and a total that is made from the loss and the total before.
    nodes = {"n1": ("loss", ()), "n2": ("total", (1,))}
    for i in (3, 5, 7):
        nodes |= {f"n{i}": ("loss", ()), f"n{i + 1}": ("total", (i - 1, i))}
    alive = [range(1, 2 * step + 1) for step in range(1, 5)]
    same(growing(alive, **nodes), [["growing graph", "total: "]], of="the findings")


@hint("A node that is kept for one more step, and then replaced by the next, is of a line that does not grow.")
def test_what_is_replaced():
    nodes = {f"n{i}": ("history", ()) for i in range(1, 5)} | {f"n{10 * i}": ("last", ()) for i in range(5)}
    alive = [[*range(1, step + 1), 10 * step, 10 * (step - 1)] for step in range(1, 5)]
    same(growing(alive, **nodes), [["growing graph", "history: "]], of="the findings")


@hint("A mean that is made of the total, and replaced in the next step, does not hold what the total holds.")
def test_what_is_made_of_it():
    nodes = {"n1": ("loss", ()), "n2": ("total", (1,)), "n3": ("mean", (2,))}
    for i in (4, 7, 10):
        nodes |= {f"n{i}": ("loss", ()), f"n{i + 1}": ("total", (i - 2, i)), f"n{i + 2}": ("mean", (i + 1,))}
    alive = [[i for i in range(1, 3 * step + 1) if i % 3 or i == 3 * step] for step in range(1, 5)]
    same(growing(alive, **nodes), [["growing graph", "total: "]], of="the findings")


@hint("The last step's own loss is alive, too, and new; but none of its ancestors was there before.")
def test_what_is_new():
    nodes = {f"n{i}": ("loss", ()) for i in range(1, 9, 2)} | {f"n{i}": ("keep", (i - 1,)) for i in range(2, 9, 2)}
    alive = [range(1, 2 * step) for step in range(1, 5)]
    same(growing(alive, **nodes), [["growing graph", "keep: "]], of="the findings")


EXPECTED = {
    "healthy": [],
    "first": [["exploding", "step 1"]],
    "second": [["growing graph", "second: total = total + loss"]],
    "third": [["no gradient", "scale"]],
}


@hint("programs.py has the program. Look at inspector.steps.")
@pytest.mark.parametrize("name", list(EXPECTED))
def test_programs(name):
    with np.errstate(all="ignore"), listening(Inspector()) as inspector:
        getattr(programs, name)()
    same(len(inspector.steps), 6, of="how many steps were noted")
    same(texts(inspector.findings()), EXPECTED[name], of=f"what is wrong with programs.{name}")
