"""Reverse mode, with care: any graph, tuples, modes, nothing written to."""

from __future__ import annotations

import random

import numpy as np
import pytest

import needle as ndl
from hw.hw1.tests.checks import values
from hw.testing import hint, same
from needle.autograd import Tensor, compute_gradient_of_variables
from needle.listening import Listener, listening


def walk(y, out_grad=None):
    """Walk back from y."""
    g = np.ones(y.shape) if out_grad is None else np.asarray(out_grad)
    compute_gradient_of_variables(y, Tensor(g, requires_grad=False))


@hint("Any graph of + and *: compare with derivatives that are carried forward, beside the values.")
@pytest.mark.parametrize("seed", range(20))
def test_random_graphs(seed):
    draw = random.Random(seed)
    count = draw.randrange(1, 4)
    start = [draw.uniform(-1, 1) for _ in range(count)]
    leaves = [Tensor(np.array([x])) for x in start]
    nodes = list(leaves)
    # Beside each value, its derivative by each leaf.
    duals = [(x, np.eye(count)[i]) for i, x in enumerate(start)]
    for _ in range(3 + seed):
        i, j = draw.randrange(len(nodes)), draw.randrange(max(0, len(nodes) - 3), len(nodes))
        (x, dx), (y, dy) = duals[i], duals[j]
        if draw.random() < 0.5:
            nodes.append(nodes[i] + nodes[j])
            duals.append((x + y, dx + dy))
        else:
            nodes.append(nodes[i] * nodes[j])
            duals.append((x * y, dx * y + x * dy))
    walk(nodes[-1])
    for position, (leaf, expected) in enumerate(zip(leaves, duals[-1][1])):
        found = 0.0 if leaf.grad is None else values(leaf.grad)[0]
        same(float(found), float(expected), of=f"the gradient of leaf {position}", rtol=1e-9, atol=1e-12)


@hint("A node may be used by many others, and a graph may be deep (200 nodes here).")
@pytest.mark.parametrize("n", [50, 200])
def test_wide_and_deep(n):
    a = Tensor(np.array([1.5]))
    deep = a
    for _ in range(n):
        deep = deep * 1.01
    wide = a * 0
    for _ in range(n):
        wide = wide + a
    walk(deep + wide)
    same(a.grad, np.array([1.01**n + n]), of=f"the gradient, of {n} uses and {n} steps", rtol=1e-9)


@hint("Each node doubles the number of paths; the number of steps grows with the nodes, not with the paths.")
def test_many_paths():
    a = Tensor(np.array([1.0]))
    y = a
    for _ in range(14):
        y = y + y

    class Counter(Listener):
        shares = 0

        def share(self, node, share, consumer, position):
            self.shares += 1

    with listening(Counter()) as counter:
        walk(y)
    same(a.grad, np.array([2.0**14]), of="the gradient along 2^14 paths")
    same(counter.shares, 28, of="how many shares the debugger was told of: two for each of 14 nodes")


@hint("A TensorTuple is a node as any other; its adjoint is a TensorTuple.")
@pytest.mark.parametrize("uses", [1, 2])
def test_tuples(uses):
    a = Tensor(np.array([2.0, 3.0]))
    pair = ndl.fused_add_scalars(a, 1.0, 2.0)
    y = pair[0] * pair[1]
    if uses == 2:
        y = y + pair[0]
    walk(y)
    expected = 2 * np.array([2.0, 3.0]) + 3 + (uses - 1)
    same(a.grad, expected, of="the gradient of a for y = (a + 1) (a + 2)" + (" + (a + 1)" if uses == 2 else ""))


@hint("Adjoints are shared (EWiseAdd gives out_grad to both inputs): adding in place would change them all.")
def test_nothing_is_written_to():
    a, b, g = Tensor(np.array([2.0])), Tensor(np.array([5.0])), Tensor(np.array([1.0]), requires_grad=False)
    c = (a + b).retain_grad()
    y = (c + a) + a * b
    compute_gradient_of_variables(y, g)
    same(a.grad, np.array([7.0]), of="a.grad for y = ((a + b) + a) + a b, a = 2, b = 5")
    same(b.grad, np.array([3.0]), of="b.grad")
    same(c.grad, np.array([1.0]), of="(a + b).grad, which asked for it")
    same(g, np.array([1.0]), of="out_grad, afterwards")
    same(y, np.array([19.0]), of="y, afterwards")


@hint("The output may itself be a leaf, or a node that asked for its grad.")
def test_the_output_itself():
    a = Tensor(np.array([2.0]))
    walk(a, [3.0])
    same(a.grad, np.array([3.0]), of="a.grad for y = a")
    y = (a * 4).retain_grad()
    walk(y, [5.0])
    same(y.grad, np.array([5.0]), of="y.grad, which asked for it")
    same(a.grad, np.array([20.0]), of="a.grad for y = 4 a")


@hint("A leaf that y does not depend on keeps its grad; what does not require a gradient is not walked.")
def test_what_is_not_reached():
    a, b, c = Tensor(np.array([2.0])), Tensor(np.array([3.0])), Tensor(np.array([4.0]), requires_grad=False)
    walk(b * 7)
    walk(a * (c * 2 + 1))
    same(a.grad, np.array([9.0]), of="a.grad for y = a (2 c + 1)")
    same(b.grad, np.array([7.0]), of="b.grad, from an earlier walk")
    same(c.grad, None, of="c.grad, where c requires none")


@hint("With create_graph=False the gradients are plain data, and right.")
def test_modes():
    a, b = Tensor(np.array([2.0, 3.0])), Tensor(np.array([4.0, 5.0]))
    (a * b * a).backward(create_graph=False)
    same(a.grad, 2 * np.array([2.0, 3.0]) * np.array([4.0, 5.0]), of="a.grad for y = a b a")
    same(a.grad.requires_grad, False, of="whether a.grad requires a gradient, with create_graph=False")
    with ndl.lazy_mode():
        x = Tensor(np.array([2.0]))
        (x * x + x).backward()
    same(values(x.grad), np.array([5.0]), of="x.grad for y = x^2 + x, in lazy mode")


@hint("Third derivatives are derivatives of second ones.")
def test_third_derivative():
    x = Tensor(np.array([2.0, -1.0]))
    y = x * x * x * x
    expected = [4 * np.array([8.0, -1.0]), 12 * np.array([4.0, 1.0]), 24 * np.array([2.0, -1.0])]
    for n, right in enumerate(expected, 1):
        y.backward()
        y = x.grad
        same(values(y), right, of=f"derivative {n} of x^4")
