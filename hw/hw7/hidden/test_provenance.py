"""Provenance in recordings of real programs, and in graphs of many ways."""

from __future__ import annotations

import pytest

import needle as ndl
from hw.hw7.provenance import ancestors, consumers, explain, path
from hw.hw7.recorder import Recorder
from hw.hw7.tests.checks import Net, double, graph, leaf, square
from hw.testing import hint, same
from needle.listening import listening


@hint("There are 2^40 ways through it; each node is visited once.")
def test_many_ways():
    ladder = graph(n1=(), **{f"n{i}": (i - 1, i - 1) if i % 2 else (i - 1, max(1, i - 2)) for i in range(2, 81)})
    same(ancestors(ladder, 80), list(range(1, 81)), of="the ancestors in a graph of many ways")
    same(len(path(ladder, 1, 80)), 41, of="the length of a shortest path")
    same(len(consumers(ladder, 40)), 2, of="how many consumers #40 has")


@hint("A shortest path: breadth first.")
@pytest.mark.parametrize(("start", "length"), [(1, 3), (2, 4), (3, 0), (6, 1)])
def test_the_shortest_path(start, length):
    nodes = {"n1": (), "n2": (), "n3": (), "n4": (2,), "n5": (4, 1), "n6": (5, 4)}
    nodes["n6"] = (5,)
    found = path(graph(**nodes), start, 6)
    same(len(found), length, of=f"the length of the path from #{start} to #6")
    same(found[-1:], [6] if length else [], of="its end")


@hint("Nodes that are gone are explained by what is written down.")
def test_nodes_that_are_gone():
    with listening(Recorder()) as recorder:
        number = recorder.number(square(double(leaf(2))))
    expected = ["#1 (2,)", "#2 (2,) = EWiseAdd(#1, #1)  double: return x + x"]
    expected.append("#3 (2,) = EWiseMul(#2, #2)  square: return x * x")
    same(explain(recorder, number), expected, of="explain #3")


@hint("The way from a weight to the loss goes by what it is used in.")
def test_a_model():
    net, x = Net(), leaf(2, 3, requires_grad=False)
    with listening(Recorder()) as recorder, ndl.lazy_mode():
        loss = net(x).sum()
    start, end = recorder.number(net.layers[0].weight), recorder.number(loss)
    ops = [recorder.nodes[n].op for n in path(recorder, start, end)]
    same(
        ops,
        ["", "MatMul", "EWiseAdd", "MatMul", "Summation"],
        of="the ops on the way from the first weight to the loss",
    )
    texts = explain(recorder, end)
    same(texts[0], "#1 (3, 4) layers.0.weight", of="the first line of explain")
    same(texts[4], "#5 (2, 4) = EWiseAdd(#4, #4)  forward: x = x + x  [Net]", of="its fifth line")
    same(len(texts), 7, of="how many lines explain gives")


@hint("What a backward walk makes comes from the forward pass, too.")
def test_a_gradient():
    x = leaf(2)
    with listening(Recorder()) as recorder:
        y = square(x)
        z = y.sum()
        z.backward()
    behind = ancestors(recorder, recorder.number(x.grad))
    same(recorder.number(x) in behind, True, of="whether x is among the ancestors of its gradient")
    same(recorder.number(z) in behind, False, of="whether the sum is, whose value its derivative does not need")
    same(len(consumers(recorder, recorder.number(x))) > 1, True, of="whether the gradient's products consume x, too")
    same(path(recorder, recorder.number(x), recorder.number(y)), [1, 2], of="the path from x to x * x")
