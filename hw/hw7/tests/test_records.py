"""The records of nodes."""

from __future__ import annotations

import gc
import weakref

import pytest

import needle as ndl
from hw.hw7.recorder import Recorder
from hw.hw7.tests.checks import double, function_of, leaf, square
from hw.testing import hint, same
from needle.listening import announce, listening


@hint("The first node that is met is number 1; who was met before keeps its number.")
def test_numbers():
    recorder, a, b = Recorder(), leaf(2), leaf(3, 1)
    found = [recorder.number(x) for x in (a, b, a, b)]
    same(found, [1, 2, 1, 2], of="the numbers of a, b, a, b", mistakes={"they begin with 0": [0, 1, 0, 1]})
    same(sorted(recorder.nodes), [1, 2], of="the keys of nodes")
    record = recorder.nodes[2]
    same([record.number, *record.shape], [2, 3, 1], of="number and shape in the record of b")
    same([record.dtype, record.op], ["float64", ""], of="dtype and op in the record of b")
    same([len(record.inputs), record.line], [0, None], of="how many inputs b has, and its line")


@hint("Inputs are met before the node that is made from them.")
def test_a_node():
    a, b = leaf(2, 3), leaf(3, 2)
    with listening(Recorder()) as recorder:
        c = a @ b
    same(len(recorder.nodes), 3, of="how many nodes were written down")
    record = recorder.nodes[recorder.number(c)]
    found = [record.op, record.dtype, function_of(record.line)]
    same(found, ["MatMul", "float64", "test_a_node"], of="op, dtype and line of c")
    mistakes = {"the node gets its number before its inputs": [1, 2, 3], "inputs are missing": [3]}
    found = [record.number, *record.inputs]
    same(found, [3, 1, 2], of="the number of c, and those of its inputs", mistakes=mistakes)
    same(list(record.shape), [2, 2], of="the shape of c")


@hint("In eager mode `computed` comes before `made`, and both are about the same node: it is written down once.")
def test_a_program():
    x = leaf(3)
    with listening(Recorder()) as recorder:
        square(double(x)).sum()
    nodes = [recorder.nodes[n] for n in sorted(recorder.nodes)]
    same([n.op for n in nodes], ["", "EWiseAdd", "EWiseMul", "Summation"], of="the ops, by number")
    same([list(n.inputs) for n in nodes], [[], [1, 1], [2, 2], [3]], of="the inputs, by number")
    functions = [None, "double", "square", "test_a_program"]
    same([function_of(n.line) for n in nodes], functions, of="the functions of the lines, by number")
    same([n.nbytes for n in nodes], [0, 24, 24, 8], of="the bytes, by number")
    same([n.seconds is None for n in nodes], [True, False, False, False], of="whether seconds is None, by number")


@hint("The event says how long it took.")
@pytest.mark.parametrize("seconds", [0.25, 0.0])
def test_seconds(seconds):
    a = leaf(2)
    b = a + 1
    with listening(Recorder()) as recorder:
        announce("computed", b, b.op, b.inputs, seconds)
        announce("made", b, b.op, b.inputs)
    same(recorder.nodes[2].seconds, seconds, of="the seconds of the node")


@hint("A lazy node is made at one line and computed at another: its record is of the first.")
def test_lazy_mode():
    x = leaf(2)
    with listening(Recorder()) as recorder, ndl.lazy_mode():
        y = double(x)
        before = recorder.nodes[recorder.number(y)]
        state = [before.op, function_of(before.line), before.seconds, before.nbytes]
        y.numpy()
    same(state, ["EWiseAdd", "double", None, 0], of="op, line, seconds, bytes before it is computed")
    after = recorder.nodes[recorder.number(y)]
    same([after.op, function_of(after.line), after.nbytes], ["EWiseAdd", "double", 16], of="op, line, bytes after it")
    same(after.seconds is None, False, of="whether seconds is None after it")


@hint("Write down numbers and words. A node, an op or a frame that is kept keeps the data alive.")
def test_nothing_is_kept_alive():
    x = leaf(2)
    with listening(Recorder()) as recorder:
        y = square(double(x))
        nodes = [weakref.ref(y), weakref.ref(y.inputs[0]), weakref.ref(y.op)]
        del y
        gc.collect()
        same([node() is None for node in nodes], [True] * 3, of="whether y, its input and its op are gone")
    same([recorder.nodes[n].op for n in (2, 3)], ["EWiseAdd", "EWiseMul"], of="what is written down of them")


@hint("id(node) is given to another node when the node is gone.")
def test_numbers_are_not_used_twice():
    recorder = Recorder()
    found = [recorder.number(leaf(1)) for _ in range(5)]
    same(found, [1, 2, 3, 4, 5], of="the numbers of five nodes, each gone before the next was made")


@hint("Each recorder has its own numbers; listeners may be nested.")
def test_nested_recorders():
    x = leaf(2)
    with listening(Recorder()) as outer:
        double(x)
        with listening(Recorder()) as inner:
            square(x)
        double(x)
    same([len(outer.nodes), len(inner.nodes)], [4, 2], of="how many nodes the outer and the inner recorder know")
    same([inner.nodes[n].op for n in (1, 2)], ["", "EWiseMul"], of="what the inner one has written down")
