"""Profiles of real programs: what is counted, by whom, and that it adds up."""

from __future__ import annotations

import pytest

import needle as ndl
from hw.hw7.profiler import inclusive, profile, total
from hw.hw7.recorder import Node, Recorder
from hw.hw7.tests.checks import Net, by_hand, double, leaf, square
from hw.testing import hint, same
from needle import nn
from needle.listening import listening


@hint("Each node that was computed is one call; lazy nodes that nobody asked for are none.")
@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_a_program(lazy):
    x = leaf(4)

    def program():
        y = double(double(x))
        square(y)
        return y.numpy()

    with listening(Recorder()) as recorder:
        if lazy:
            with ndl.lazy_mode():
                program()
        else:
            program()
    expected = {"EWiseAdd": 2} | ({} if lazy else {"EWiseMul": 1})
    found = profile(recorder)
    same({op: found[op].calls for op in sorted(found)}, expected, of="the calls of each op")
    same(found["EWiseAdd"].nbytes, 64, of="the bytes of the additions")


@hint("A container has no nodes of its own, and all of its parts'.")
def test_containers():
    model = nn.Sequential(Net((3, 4, 2)), nn.Residual(Net((2, 2))))
    with listening(Recorder()) as recorder:
        model(leaf(5, 3))
    found = inclusive(recorder)
    expected = {
        "Sequential": 5,
        "Sequential.modules.0": 3,
        "Sequential.modules.0.layers.0": 1,
        "Sequential.modules.0.layers.1": 1,
        "Sequential.modules.1": 2,
        "Sequential.modules.1.fn": 1,
        "Sequential.modules.1.fn.layers.0": 1,
    }
    same({label: found[label].calls for label in found}, expected, of="the calls within each module")
    same(found["Sequential"].nbytes, 8 * (20 + 20 + 10 + 10 + 10), of="the bytes within the model")
    same("Sequential" in profile(recorder, "module"), False, of="whether the model has nodes of its own")


@hint("What was recorded in all walks and passes is counted; the sums agree.")
def test_a_training_step():
    net = Net()
    with listening(Recorder()) as recorder:
        (net(leaf(2, 3)) * 0.5).sum().backward()
    computed = [node for node in recorder.nodes.values() if node.seconds is not None]
    whole = total(computed)
    same(whole.calls > 5, True, of="whether more than the forward pass was counted")
    for by in ("op", "line", "module"):
        values = profile(recorder, by).values()
        agree = [
            sum(each.calls for each in values) == whole.calls,
            abs(sum(each.seconds for each in values) - whole.seconds) < 1e-9,
            sum(each.nbytes for each in values) == whole.nbytes,
        ]
        same(agree, [True] * 3, of=f"whether calls, seconds and bytes by {by} add up to the total")


@hint("Labels that begin alike are not within each other.")
def test_labels_that_begin_alike():
    nodes = [
        Node(1, "ReLU", module="Net", seconds=1.0),
        Node(2, "ReLU", module="Network", seconds=2.0),
        Node(3, "ReLU", module="Net.a", seconds=4.0),
        Node(4, "ReLU", module="Net.ab", seconds=8.0),
        Node(5, "ReLU", module="", seconds=16.0),
    ]
    found = inclusive(by_hand(nodes, ("Network", "Net", "Net.ab", "Net.a", "Other")))
    seconds = {"Network": 2.0, "Net": 13.0, "Net.ab": 8.0, "Net.a": 4.0, "Other": 0.0}
    same({label: float(each.seconds) for label, each in found.items()}, seconds, of="the seconds within each module")
    same(
        [list(found), found["Other"].calls], [list(seconds), 0], of="the order of the labels, and the calls of the last"
    )


@hint("A profile does not change what is recorded, and can be asked for while it goes on.")
def test_asking_twice():
    x = leaf(2)
    with listening(Recorder()) as recorder:
        double(x)
        first = profile(recorder)["EWiseAdd"].calls
        double(x)
        second = profile(recorder)["EWiseAdd"].calls
    same([first, second], [1, 2], of="the calls, asked for after one addition and after two")
