"""Records of what is not so plain: nodes without a graph, tuples, lazy nodes from before, threads, errors."""

from __future__ import annotations

import needle as ndl
from hw.hw7.recorder import Recorder
from hw.hw7.tests.checks import double, function_of, in_threads, leaf, square
from hw.testing import hint, same
from needle import ops
from needle.listening import listeners, listening


@hint("A node that requires no gradient does not keep op and inputs; the event tells them.")
def test_without_gradients():
    x = leaf(2, requires_grad=False)
    with listening(Recorder()) as recorder:
        double(x)
        with ndl.no_grad():
            square(leaf(3))
    nodes = recorder.nodes.values()
    same([n.op for n in nodes], ["", "EWiseAdd", "", "EWiseMul"], of="the ops")
    same([list(n.inputs) for n in nodes], [[], [1, 1], [], [3, 3]], of="the inputs")


@hint("A node may hold a tuple: its shape is a tuple of shapes, its dtype is empty.")
def test_tuples():
    a, b = leaf(2), leaf(3, 1)
    with listening(Recorder()) as recorder:
        t = ops.make_tuple(a, b)
    record = recorder.nodes[recorder.number(t)]
    same([record.op, record.dtype], ["MakeTensorTuple", ""], of="op and dtype of a tuple")
    same([list(shape) for shape in record.shape], [[2], [3, 1]], of="its shapes")
    same(record.nbytes, 40, of="its bytes")


@hint("4 bytes for each float32.")
def test_bytes_of_other_dtypes():
    x = ndl.Tensor([[1, 2, 3]], dtype="float32", requires_grad=False)
    with listening(Recorder()) as recorder:
        x + 1
        x.sum()
    nodes = list(recorder.nodes.values())
    same([n.nbytes for n in nodes], [0, 12, 4], of="the bytes of x, x + 1, x.sum()")
    same(nodes[1].dtype, "float32", of="the dtype of x + 1")


@hint("A node that was made before anybody listened has no op and no line, also if it is computed now.")
def test_lazy_nodes_from_before():
    x = leaf(2)
    with ndl.lazy_mode():
        y = double(x)
        with listening(Recorder()) as recorder:
            y.numpy()
            z = square(y)
    record = recorder.nodes[recorder.number(y)]
    same([record.op, record.line, record.nbytes], ["", None, 16], of="op, line and bytes of a node from before")
    same(record.seconds is None, False, of="whether its seconds are None")
    later = recorder.nodes[recorder.number(z)]
    same(list(later.inputs), [recorder.number(y)] * 2, of="the inputs of a node that is made from it")


@hint("An input that was made before anybody listened is written down without an op, and nothing behind it.")
def test_a_graph_from_before():
    x = leaf(2)
    y = square(double(x))
    with listening(Recorder()) as recorder:
        double(y)
    same([n.op for n in recorder.nodes.values()], ["", "EWiseAdd"], of="the ops that are written down")


@hint("Events come from all threads; no number is given twice, and none is left out.")
def test_threads():
    def work():
        x = leaf(2)
        for _ in range(50):
            x = double(x)

    with listening(Recorder()) as recorder:
        in_threads(4, work)
    same(sorted(recorder.nodes), list(range(1, 205)), of="the numbers that were given")
    same([n.number for n in recorder.nodes.values()], sorted(recorder.nodes), of="the numbers in the records")
    functions = {function_of(n.line) for n in recorder.nodes.values() if n.op}
    same(sorted(map(str, functions)), ["double"], of="the functions of all lines")


@hint("An error leaves no listener behind, and what was written down before it stays.")
def test_errors():
    recorder, x = Recorder(), leaf(2)
    try:
        with listening(recorder):
            double(x)
            raise KeyError
    except KeyError:
        double(x)
    same([recorder in listeners, len(recorder.nodes)], [False, 2], of="whether it listens; how many nodes it knows")


@hint("What is written down once stays; a second `computed` or `made` of a node changes neither line nor inputs.")
def test_written_once():
    x = leaf(2)
    with listening(Recorder()) as recorder:
        y = double(x)
        recorder.made(y, y.op, (x,))
        recorder.computed(y, y.op, (x, x), 0.5)
    record = recorder.nodes[2]
    same([function_of(record.line), len(recorder.nodes)], ["double", 2], of="the line of y; how many nodes there are")
    same([record.seconds, *record.inputs], [0.5, 1, 1], of="the seconds of y, told last, and its inputs")
