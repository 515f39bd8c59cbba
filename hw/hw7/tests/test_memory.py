"""What is alive, and how much it was at most."""

from __future__ import annotations

import gc
import weakref

import pytest

import needle as ndl
from hw.hw7.profiler import Memory
from hw.hw7.recorder import Node
from hw.hw7.tests.checks import double, function_of, leaf, square
from hw.testing import hint, same
from needle.listening import listening


@hint("A node counts when it is computed, with the bytes of its data; leaves were not computed.")
@pytest.mark.parametrize("shape", [(2,), (3, 4), ()])
def test_one_node(shape):
    x = leaf(*shape)
    with listening(Memory()) as memory:
        y = double(x)
    size = 8 * y.numpy().size
    same([memory.now, memory.peak], [size, size], of="now and peak")
    same(memory.alive, {"2": size}, of="number and bytes of what is alive")


@hint("When a node is gone, it counts no more. The weak reference itself has to be kept, or nobody is called.")
def test_a_node_that_is_gone():
    x = leaf(4)
    with listening(Memory()) as memory:
        y = double(x)
        z = leaf(4) * 2.0
        del y
        gc.collect()
        same([memory.now, memory.peak], [32, 64], of="now and peak, when one of two nodes is gone")
        del z
        gc.collect()
    same(
        [memory.now, memory.peak, len(memory.alive)], [0, 64, 0], of="now, peak, how many are alive, when both are gone"
    )


@hint("A graph keeps what it was made from.")
def test_a_graph():
    x = leaf(4)
    with listening(Memory()) as memory:
        y = square(double(x)).sum()
        same(memory.now, 72, of="bytes while the graph is there")
        with ndl.no_grad():
            z = square(double(x)).sum()
        same(memory.now, 80, of="bytes when the same was done without a graph, too")
        del y, z
        gc.collect()
    same([memory.now, memory.peak], [0, 136], of="now and peak at last")


@hint("Bytes by line, the largest first.")
def test_by_line():
    x = leaf(4)
    with listening(Memory()) as memory:
        y = double(x)
        z = square(square(x))
        found = memory.by_line()
    same([function_of(line) for line in found], ["square", "double"], of="the functions of the lines")
    same(list(found.values()), [64, 32], of="their bytes")
    del y, z
    gc.collect()
    same(memory.by_line(), {}, of="what is alive when all is gone")


@hint("Added up by line: a line may have made several.")
def test_by_line_by_hand():
    memory = Memory()
    lines = [ndl.places.Line("a.py", number, f"f{number}") for number in range(3)]
    memory.nodes = {n: Node(n, "ReLU", line=lines[n % 3]) for n in range(1, 7)}
    memory.alive = {1: 10, 2: 20, 4: 15, 6: 5, 3: 1}
    found = memory.by_line()
    same([function_of(line) for line in found], ["f1", "f2", "f0"], of="the functions of the lines")
    same(list(found.values()), [25, 20, 6], of="their bytes")


@hint("A snapshot at the peak; what comes afterwards does not change it.")
def test_at_peak():
    x = leaf(4)
    with listening(Memory()) as memory:
        y = double(x)
        z = square(x)
        del y
        gc.collect()
        w = double(leaf(2))
    same(memory.peak, 64, of="the peak")
    same(
        {function_of(line): n for line, n in memory.at_peak.items()},
        {"double": 32, "square": 32},
        of="at_peak, by function",
    )
    same(
        {function_of(line): n for line, n in memory.by_line().items()},
        {"square": 32, "double": 16},
        of="by_line, by function",
    )
    del z, w


@hint("Only weak references.")
def test_nothing_is_kept_alive():
    x = leaf(2)
    with listening(Memory()) as memory:
        y = double(x)
        nodes = [weakref.ref(x), weakref.ref(y)]
        del x, y
        gc.collect()
    same([node() is None for node in nodes], [True, True], of="whether x and x + x are gone")
    same(len(memory.references), 0, of="how many references are left")
