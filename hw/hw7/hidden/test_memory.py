"""Memory in training: freed graphs, lazy nodes, nodes that die after the block, threads."""

from __future__ import annotations

import gc

import needle as ndl
from hw.hw7.profiler import Memory
from hw.hw7.tests.checks import Net, double, function_of, in_threads, leaf, square
from hw.testing import hint, same
from needle.listening import listening


@hint("Nodes that die after the block are gone, too.")
def test_after_the_block():
    with listening(Memory()) as memory:
        y = square(double(leaf(8)))
    same(memory.now, 128, of="bytes at the end of the block")
    del y
    gc.collect()
    same([memory.now, memory.peak], [0, 128], of="now and peak, when all is gone")
    double(leaf(4))
    same([memory.now, memory.peak], [0, 128], of="now and peak, after more was done outside of the block")


@hint("A lazy node takes no memory until it is computed.")
def test_lazy_mode():
    x = leaf(4)
    with listening(Memory()) as memory, ndl.lazy_mode():
        y = square(double(x))
        before = memory.now
        y.numpy()
        after = memory.now
    same([before, after], [0, 64], of="bytes before and after it is computed")
    same(
        [function_of(line) for line in memory.at_peak],
        ["double", "square"],
        of="the functions of the lines at the peak",
    )


@hint("Without create_graph, backward() lets go of the graph on its way.")
def test_a_freed_graph():
    net, x = Net(), leaf(2, 3, requires_grad=False)
    with listening(Memory()) as memory:
        loss = net(x).sum()
        forward = memory.now
        loss.backward(create_graph=False)
        gc.collect()
        kept = memory.now
    same(forward, 8 * (8 + 8 + 4 + 1), of="bytes after the forward pass")
    gradients = sum(8 * each.grad.numpy().size for each in net.parameters())
    same(kept, gradients + 8, of="bytes after backward(create_graph=False): loss and gradients")


@hint("What is kept from step to step adds up.")
def test_steps():
    x, kept, found = leaf(4), [], []
    with listening(Memory()) as memory:
        for _ in range(3):
            kept.append(square(x))
            double(x)
            found.append(memory.now)
    same(found, [32, 64, 96], of="bytes after each step")
    same(memory.peak, 128, of="the peak")
    same([function_of(line) for line in memory.by_line()], ["square"], of="the functions of the lines of what is alive")


@hint("The peak is the first of its size; at_peak is of then.")
def test_the_first_peak():
    x = leaf(4)
    with listening(Memory()) as memory:
        double(x)
        square(x)
    same([function_of(line) for line in memory.at_peak], ["double"], of="the functions of the lines at the peak")
    same([memory.peak, memory.now], [32, 0], of="peak and now")


@hint("Several threads make nodes and let go of them; in the end nothing is left.")
def test_threads():
    def work():
        for _ in range(100):
            square(double(leaf(2)))

    with listening(Memory()) as memory:
        in_threads(3, work)
        gc.collect()
    same([memory.now, len(memory.alive)], [0, 0], of="bytes and nodes that are alive")
