"""Which module a node was made in."""

from __future__ import annotations

import pytest

from hw.hw7.recorder import Recorder
from hw.hw7.tests.checks import Layer, Net, double, leaf
from hw.testing import hint, same
from needle import nn
from needle.listening import Listener, listening


def modules_of(recorder):
    """The labels of the nodes that were made, by number."""
    return [node.module for node in recorder.nodes.values() if node.op]


@hint("The label of the outermost module is the name of its class; behind the call there is none any more.")
def test_one_module():
    relu, x = nn.ReLU(), leaf(2)
    with listening(Recorder()) as recorder:
        double(x)
        relu(x)
        double(x)
    same(modules_of(recorder), ["", "ReLU", ""], of="the modules of three nodes")
    same(list(recorder.here.modules), [], of="what is left on the stack")


@hint("Within the outermost module, a module is told by the path that named_modules gives.")
def test_a_model():
    net, x = Net(), leaf(1, 3)
    with listening(Recorder()) as recorder:
        net(x)
    expected = ["Net.layers.0", "Net", "Net.layers.1"]
    mistakes = {
        "the parts are told by their classes": ["Net.Linear", "Net", "Net.Linear"],
        "the outermost module has a dot at the end": ["Net.layers.0", "Net.", "Net.layers.1"],
        "the class of the outermost module is missing": ["layers.0", "", "layers.1"],
        "left() takes nothing off": ["Net.layers.0", "Net.layers.0", "Net.layers.1"],
    }
    same(modules_of(recorder), expected, of="the modules of x @ w, h + h, h @ w", mistakes=mistakes)


@hint("Each call is counted under its label; labels come in the order of their first calls.")
@pytest.mark.parametrize("times", [1, 3])
def test_calls(times):
    net, x = Net(), leaf(1, 3)
    with listening(Recorder()) as recorder:
        for _ in range(times):
            net(x)
    same(list(recorder.calls), ["Net", "Net.layers.0", "Net.layers.1"], of="the labels in calls")
    same(list(recorder.calls.values()), [times] * 3, of="how often each was called")


@hint("When the outermost module is called, its parameters get their paths as names.")
def test_names_of_parameters():
    net = Net()
    with listening(Recorder()) as recorder:
        net(leaf(1, 3))
    names = {node.name for node in recorder.nodes.values() if node.name}
    same(sorted(names), ["layers.0.weight", "layers.1.weight"], of="all names")
    found = [recorder.nodes[recorder.number(each.weight)].name for each in net.layers]
    same(found, ["layers.0.weight", "layers.1.weight"], of="the names of the two weights")


@hint("A parameter keeps the name under which it was met first.")
def test_first_names():
    shared = Layer(2, 2)
    one, two = nn.Sequential(shared), nn.Sequential(nn.ReLU(), shared)
    with listening(Recorder()) as recorder:
        one(leaf(1, 2))
        two(leaf(1, 2))
    name = recorder.nodes[recorder.number(shared.weight)].name
    same(
        name, "modules.0.weight", of="the name of a shared weight", mistakes={"it is the last one": "modules.1.weight"}
    )
    same(
        modules_of(recorder), ["Sequential.modules.0", "Sequential.modules.0", "Sequential.modules.1"], of="the modules"
    )


class Broken(nn.Module):
    """Raises an error."""

    def forward(self, x):
        raise KeyError("broken")


@hint("left() is announced also when the call ends by an error.")
def test_a_call_that_fails():
    x = leaf(2)
    with listening(Recorder()) as recorder:
        try:
            nn.Sequential(nn.ReLU(), Broken())(x)
        except KeyError:
            double(x)
    same(modules_of(recorder), ["Sequential.modules.0", ""], of="the modules of two nodes, the second after the error")
    same(recorder.calls.get("Sequential.modules.1"), 1, of="how often the broken module was called")


@hint("A module that was entered before anybody listened is left without having been put on the stack.")
def test_listening_within_a_call():
    recorder, x = Recorder(), leaf(2)

    class Leaves(nn.Module):
        def forward(self, x):
            block.__enter__()
            return double(x)

    block = listening(recorder)
    with listening(Listener()):  # somebody listens all the time, and so the call is announced
        Leaves()(x)
        nn.ReLU()(x)
    block.__exit__(None, None, None)
    same(modules_of(recorder), ["", "ReLU"], of="the modules of two nodes")
