"""Shares of higher derivatives, of graphs that are freed, of intermediate nodes, in several walks and threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import needle as ndl
from hw.hw7.adjoints import Adjoints
from hw.hw7.recorder import Recorder
from hw.hw7.tests.checks import Net, double, leaf, square
from hw.hw7.tests.test_shares import parts
from hw.testing import hint, same
from needle import ops
from needle.listening import listening


@hint("A second derivative is another walk, through the nodes that the first has made.")
def test_second_derivatives():
    x = leaf(3)
    with listening(Adjoints()) as recorder:
        recorder.watch(x)
        (square(x) * x).sum().backward()
        first = parts(recorder, x)[1]
        gradient = x.grad
        gradient.sum().backward()
    values = parts(recorder, x)[1]
    same(sum(first), 3 * x.numpy() ** 2, of="the sum of the contributions of the first walk")
    same(sum(values), 6 * x.numpy(), of="the sum of the contributions of the second")
    same(sorted({s.walk for s in recorder.shares}), [1, 2], of="the walks in which shares were handed on")
    second = [recorder.nodes[s.consumer].walk for s in recorder.shares if s.walk == 2]
    same([0 in second, 1 in second], [True, True], of="whether nodes of walks 0 and 1 were consumers")


@hint("Without create_graph the nodes are let go of on the way; the numbers stay.")
def test_without_a_graph():
    net, x = Net(), leaf(2, 3, requires_grad=False)
    with listening(Adjoints()) as recorder:
        for each in net.parameters():
            recorder.watch(each)
        (net(x) * 0.5).sum().backward(create_graph=False)
    first, second = (each.numpy() for each in net.parameters())
    out_grad = np.full((2, 2), 0.5)
    expected = [x.numpy().T @ (2 * out_grad @ second.T), (2 * x.numpy() @ first).T @ out_grad]
    for i, each in enumerate(net.parameters()):
        told, values = parts(recorder, each)
        same(told, [["MatMul", "forward", 1]], of=f"op, function, position of the contribution to parameter {i}")
        same(values[0], expected[i], of=f"the contribution to parameter {i}")


@hint("Any node can be watched, not leaves alone.")
@pytest.mark.parametrize("uses", [1, 4])
def test_intermediate_nodes(uses):
    x = leaf(2)
    with listening(Adjoints()) as recorder:
        y = square(x)
        recorder.watch(y)
        total = y * 1.0
        for factor in range(2, uses + 1):
            total = total + y * float(factor)
        total.sum().backward()
    told, values = parts(recorder, y)
    same([op for op, _, _ in told], ["MulScalar"] * uses, of="the ops of the contributions")
    same(sorted(float(v[0]) for v in values), [float(i) for i in range(1, uses + 1)], of="the first element of each")
    same([s.walk for s in recorder.shares if s.node == recorder.number(y)], [1] * uses, of="the walks")


@hint("A copy: what happens to the gradient afterwards does not change what was kept.")
def test_values_are_copies():
    x = leaf(2)
    with listening(Adjoints()) as recorder:
        recorder.watch(x)
        (x * 3.0).sum().backward()
        x.grad.cached_data[:] = 0.0
    same(parts(recorder, x)[1][0], np.full(2, 3.0), of="the value, after the gradient was overwritten")


@hint("A node that was handed nothing has no contributions.")
def test_no_contributions():
    x, y = leaf(2), leaf(2)
    with listening(Adjoints()) as recorder:
        recorder.watch(y)
        square(x).sum().backward()
    same(recorder.contributions(y), [], of="the contributions to a node that was not on the way")


@hint("A thread that walks does not make the others walk.")
def test_threads():
    began, go_on = threading.Event(), threading.Event()

    class Waits(ops.EWiseMul):
        def gradient(self, out_grad, node):
            began.set()
            go_on.wait(5)
            return super().gradient(out_grad, node)

    def work():
        x = leaf(2)
        Waits()(x, x).backward()

    with listening(Recorder()) as recorder:
        thread = threading.Thread(target=work)
        thread.start()
        began.wait(5)
        try:
            number = recorder.number(double(leaf(3)))
        finally:
            go_on.set()
            thread.join()
    same(recorder.nodes[number].walk, 0, of="the walk of a node that another thread made meanwhile")
    same([s.walk for s in recorder.shares], [1, 1], of="the walks of the shares")


@hint("A walk may begin within another one: the inner one's number is on the top of the stack.")
def test_a_walk_within_a_walk():
    recorder, x = Recorder(), leaf(2)
    with listening(recorder):
        recorder.backward_began([x])
        recorder.backward_began([x])
        inner = double(x)
        recorder.backward_ended([x])
        outer = double(x)
        recorder.backward_ended([x])
        recorder.backward_ended([x])
        none = double(x)
    walks = [recorder.nodes[recorder.number(y)].walk for y in (inner, outer, none)]
    same(walks, [2, 1, 0], of="the walks of a node within both, of one within the outer, of one after both")


@hint("The walk of the last share counts, not the one with the largest number.")
def test_shares_behind_an_inner_walk():
    recorder, x = Adjoints(), leaf(2)
    y = double(x)
    recorder.watch(x)
    recorder.backward_began([y])
    recorder.backward_began([y])
    recorder.share(x, leaf(2, value=3.0), y, 0)
    recorder.backward_ended([y])
    recorder.share(x, leaf(2, value=4.0), y, 1)
    recorder.backward_ended([y])
    same([s.walk for s in recorder.shares], [2, 1], of="the walks of the shares")
    told, values = parts(recorder, x)
    same([told, values[0]], [[["", None, 1]], np.full(2, 4.0)], of="the contributions, and the value of the first")


@hint("In lazy mode each share is computed once, also if it is asked for twice; only what is watched is awaited.")
def test_lazy_shares():
    x, y = leaf(2), leaf(2)
    with listening(Adjoints()) as recorder, ndl.lazy_mode():
        recorder.watch(x)
        (double(x) * y).sum().backward()
        same(len(recorder.awaited), 1, of="how many shares are awaited")
        x.grad.numpy()
        y.grad.numpy()
    same(len(recorder.awaited), 0, of="how many are awaited when all is computed")
    same(sum(parts(recorder, x)[1]), 2 * y.numpy(), of="the sum of the contributions to x")
    same(len(recorder.values), 1, of="how many values are kept: x + x hands the same node twice")
