"""`holders` names what keeps a node alive: every holder that is there, and nothing that only looks."""

from __future__ import annotations

import sys
import threading
import types
import weakref
from collections import deque
from functools import partial
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn, optim
from needle.debug.holders import holders
from needle.listening import Listener, listening
from tests.autograd.graphs import counted_computations, live_values, tensor


def names(x: Any) -> dict[str, str]:
    """The kind of each holder but the test's own helpers, by name."""
    return {holder.name: holder.kind for holder in holders(x) if not holder.where.startswith("names ")}


def made() -> Any:
    return tensor([1.0, 2.0])


def test_a_variable_of_a_running_function_is_named_with_its_line():
    x = made()
    (holder,) = holders(x)
    line = sys._getframe().f_lineno - 1
    assert (holder.kind, holder.name, holder.path, holder.hops) == ("local", "x", "x", 0)
    assert str(holder) == f"local `x` in {sys._getframe().f_code.co_name} (test_holders.py:{line})"


def test_containers_are_named_and_counted_and_a_path_leads_to_the_node():
    class Slotted:
        __slots__ = ("held",)

    class Trainer:
        best: Any = None

        def __init__(self) -> None:
            self.last: Any = None
            self.history: list[Any] = []

    trainer, slotted = Trainer(), Slotted()
    losses = [made() for _ in range(20)]
    trainer.last = slotted.held = node = losses[12]
    trainer.history += [{"step": i, "loss": losses[i]} for i in range(10, 20)]
    by_name = {"train": {7: (node, 0)}, "test": {}}
    latest = deque(losses, maxlen=20)
    unordered = {node, losses[0]}
    call, steps = partial(made, node), iter([node])
    found = {holder.name: holder for holder in holders(node)}
    assert {name: (holder.kind, holder.tensors) for name, holder in found.items()} == {
        "node": ("local", None),
        "losses": ("list", 20),
        "trainer.last": ("attribute", None),
        "trainer.history": ("list", 10),
        "slotted.held": ("attribute", None),
        "by_name": ("dict", None),
        "latest": ("deque", 20),
        "unordered": ("set", 2),
        "call.args": ("tuple", 1),
        "steps": ("list", 1),
    }
    assert found["latest"].limit == 20 and found["losses"].limit is None
    space = dict(locals())
    for holder in found.values():
        if holder.kind != "set" and holder.name != "steps":
            assert eval(holder.path, space) is node, holder.path


def test_a_class_a_module_a_closure_a_default_and_a_generator_hold():
    module = types.ModuleType("somewhere")
    sys.modules["somewhere"] = module
    node = made()

    class Holds:
        cache = (node,)

    def batches(first: Any) -> Any:
        yield first
        yield None

    def closed() -> Any:
        inner = made()
        return weakref.ref(inner), lambda: inner

    def default(x: Any = node) -> Any:
        return x

    module.kept = {"weights": node}  # type: ignore[attr-defined]
    waiting = batches(node)
    next(waiting)
    try:
        found = {(h.kind, h.name.split(".<locals>.")[-1], h.where.split(" (")[0]) for h in holders(node)}
    finally:
        del sys.modules["somewhere"]
    assert ("dict", "kept", "module somewhere") in found
    assert ("tuple", "Holds.cache", f"module {__name__}") in found
    assert ("local", "first", "batches") in found
    assert any(name == "default.__defaults__" for _, name, _ in found)
    reference, function = closed()
    (holder,) = holders(reference())
    assert (holder.kind, holder.name) == ("closure variable", "inner") and "closed.<locals>.<lambda>" in holder.where
    assert function is not None and default() is node and waiting is not None and Holds is not None


def test_what_was_made_of_a_node_holds_it():
    def chain(x: Any, n: int) -> Any:
        for _ in range(n):
            x = x + 1
        return x

    weak = weakref.ref(made())
    assert weak() is None
    start = made()
    y = start * 2
    logs = [y.sum()]
    middle = chain(y, 1000)
    total = chain(middle, 1000)
    weak = weakref.ref(start)
    del start, y
    found = {holder.name: holder for holder in holders(weak())}
    assert set(found) == {"logs", "middle", "total"}
    assert [found[name].hops for name in ("logs", "middle", "total")] == [2, 1001, 2001]
    assert found["logs"].link == "input 0 of MulScalar (2,) float32"
    assert str(found["total"]).endswith("in whose graph it is input 0 of MulScalar (2,) float32, 2,001 nodes back")
    assert total is not None and logs


def test_a_gradient_is_held_by_its_parameter_and_parameters_by_model_and_optimizer():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    optimizer = optim.Adam(model.parameters())
    model(tensor(np.ones((1, 2)), requires_grad=False)).sum().backward(create_graph=False)
    optimizer.step()
    weight = names(model.modules[0].weight)
    assert weight["model.modules[0].weight"] == "attribute" and weight["optimizer.params"] == "list"
    moment = names(optimizer.m[0])
    assert moment == {"optimizer.m": "list"}
    (grad, *_) = [h for h in holders(model.modules[0].weight.grad) if h.name == "model.modules[0].weight"]
    assert (grad.hops, grad.link) == (1, "the grad of Parameter (2, 3) float32")


def test_a_graph_that_holds_itself_is_searched_as_a_whole():
    """With ``create_graph`` a leaf has its gradient, whose graph has the leaf: no node is the last."""
    x = made()
    chain = x
    for _ in range(40):
        chain = ndl.exp(chain * 0.1)
    logs = [chain]
    chain.sum().backward()
    weak = weakref.ref(x.grad)
    del x, chain
    found = holders(weak())
    assert [(holder.kind, holder.name) for holder in found] == [("list", "logs")] and found[0].hops == 81
    assert logs


def test_functions_of_other_threads_and_tracebacks_hold():
    ready, done = threading.Event(), threading.Event()

    def work(kept: Any) -> None:
        ready.set()
        done.wait(10)

    node = made()
    thread = threading.Thread(target=work, args=(node,))
    thread.start()
    try:
        ready.wait(10)
        assert names(node)["kept"] == "local"
    finally:
        done.set()
        thread.join()

    def fails(argument: Any) -> None:
        raise ValueError

    try:
        fails(node)
    except ValueError as error:
        kept = error
    (holder,) = [holder for holder in holders(node) if holder.name == "argument"]
    assert holder.where.startswith("fails (") and holder.where.endswith("which is not running")
    assert kept is not None


def test_looking_for_holders_keeps_nothing_alive_and_computes_and_announces_nothing(mode):
    class Loud(Listener):
        def made(self, *what: Any) -> None:
            raise AssertionError

        replaced = computed = made

    x = made()
    y = ndl.exp(x) * 2
    before = live_values()
    lazy = y.cached_data is None
    with listening(Loud()), counted_computations() as counts:
        found = holders(x)
        str(found)
    assert not counts and (y.cached_data is None) == lazy and live_values() == before
    weak = weakref.ref(y)
    holders(y)
    del y
    assert weak() is None, "a holder of its own was left behind"
    assert found


def test_recordings_hold_nothing_and_are_not_named():
    with ndl.debug.record() as trace:
        x = made()
        y = x * 2
    assert names(y) == {"y": "local"} and trace.node(y).number
    assert names(x).keys() == {"x", "y"}


def test_only_nodes_have_holders():
    with pytest.raises(TypeError, match="only a Tensor has holders, not a list"):
        holders([made()])
    nothing = holders(made())
    assert nothing == []
