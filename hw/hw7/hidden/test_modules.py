"""Modules within each other, made on the way, shared, and in several threads."""

from __future__ import annotations

import threading

import pytest

import needle as ndl
from hw.hw7.recorder import Recorder
from hw.hw7.tests.checks import Layer, Net, double, leaf
from hw.hw7.tests.test_modules import modules_of
from hw.testing import hint, same
from needle import nn
from needle.listening import listening


class Around(nn.Module):
    """Calls a module that is no part of it."""

    def __init__(self):
        super().__init__()
        self.first = nn.ReLU()

    def forward(self, x):
        made = nn.Sequential(Doubling(), nn.ReLU())
        return double(made(self.first(x)))


class Doubling(nn.Module):
    """Doubles."""

    def forward(self, x):
        return double(x)


@hint("A module that is no part of the outermost is told by its class, behind the label that it is called from.")
def test_modules_that_are_made_on_the_way():
    with listening(Recorder()) as recorder:
        Around()(leaf(2))
    expected = ["Around.first", "Around.Sequential.Doubling", "Around.Sequential.ReLU", "Around"]
    same(modules_of(recorder), expected, of="the modules of four nodes")


@hint("The path is that of the outermost module, at any depth.")
def test_depth():
    inner = nn.Sequential(nn.ReLU(), Net((2, 2, 2)))
    model = nn.Sequential(nn.Residual(inner), Doubling())
    with listening(Recorder()) as recorder:
        model(leaf(1, 2))
        inner(leaf(1, 2))
    start = "Sequential.modules.0.fn.modules"
    expected = [f"{start}.0", f"{start}.1.layers.0", f"{start}.1", f"{start}.1.layers.1"]
    expected += ["Sequential.modules.0", "Sequential.modules.1"]
    expected += [f"Sequential.modules.{end}" for end in ("0", "1.layers.0", "1", "1.layers.1")]
    same(modules_of(recorder), expected, of="the modules of ten nodes; the inner model was called again by itself")


@hint("Lazy nodes belong to the module that made them, whoever asks for their data.")
def test_lazy_mode():
    with listening(Recorder()) as recorder, ndl.lazy_mode():
        y = Net()(leaf(1, 3))
        nn.ReLU()(y).numpy()
    same(modules_of(recorder), ["Net.layers.0", "Net", "Net.layers.1", "ReLU"], of="the modules of four nodes")


@hint("here is the thread's own: what one thread is in does not concern the others.")
@pytest.mark.parametrize("first", ["inside", "outside"])
def test_threads(first):
    entered, made = threading.Event(), threading.Event()

    class Waits(nn.Module):
        def forward(self, x):
            entered.set()
            made.wait(5)
            return double(x)

    with listening(Recorder()) as recorder:
        thread = threading.Thread(target=lambda: Waits()(leaf(2)))
        thread.start()
        entered.wait(5)
        try:
            if first == "inside":
                nn.ReLU()(leaf(3))
            else:
                double(leaf(3))
        finally:
            made.set()
            thread.join()
    by_shape = {node.shape: node.module for node in recorder.nodes.values() if node.op}
    expected = ["Waits", "ReLU" if first == "inside" else ""]
    same([by_shape[2,], by_shape[3,]], expected, of="the modules of the waiting thread and of the other")


@hint("Errors at any depth: the stack is what it was before the call.")
def test_errors_deep_inside():
    class Fails(nn.Module):
        def forward(self, x):
            return double(x).reshape((7,))

    class Tries(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(nn.Sequential(Fails()))

        def forward(self, x):
            try:
                return self.inner(x)
            except ValueError:
                return double(x)

    with listening(Recorder()) as recorder:
        Tries()(leaf(2))
    same(modules_of(recorder), ["Tries.inner.modules.0.modules.0", "Tries"], of="the modules of two nodes")


@hint("A module that joins the model after the first call is found at the next.")
def test_models_that_change():
    model = nn.Sequential(nn.ReLU())
    with listening(Recorder()) as recorder:
        model(leaf(1, 2))
        model.modules = [*model.modules, Layer(2, 2)]
        model(leaf(1, 2))
    expected = ["Sequential.modules.0", "Sequential.modules.0", "Sequential.modules.1"]
    same(modules_of(recorder), expected, of="the modules of three nodes")
    same(recorder.nodes[recorder.number(model.modules[1].weight)].name, "modules.1.weight", of="the name of its weight")
