"""What happens to the graph is announced to whoever listens, and costs nothing to those who do not."""

from __future__ import annotations

import os
from threading import get_ident
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import listening as door
from needle import nn, optim
from needle.listening import Listener, listeners, listening
from tests.autograd.graphs import delicate_training_step, nd_only, tensor


class Diary(Listener):
    """Writes down everything, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def made(self, node: Any, op: Any, inputs: Any) -> None:
        self.events.append(("made", type(op).__name__))

    def computed(self, node: Any, op: Any, inputs: Any, seconds: float) -> None:
        assert node.cached_data is not None and seconds >= 0
        self.events.append(("computed", type(op).__name__))

    def share(self, node: Any, share: Any, consumer: Any, position: int) -> None:
        value = None if share is None else share.numpy().tolist()
        self.events.append(("share", (type(consumer.op).__name__, position, value)))

    def freed(self, node: Any) -> None:
        self.events.append(("freed", type(node.op).__name__))

    def replaced(self, tensor: Any, before: Any) -> None:
        self.events.append(("replaced", (np.asarray(before).tolist(), tensor.numpy().tolist())))

    def entered(self, module: Any) -> None:
        self.events.append(("entered", type(module).__name__))

    def left(self, module: Any, output: Any) -> None:
        self.events.append(("left", type(module).__name__))

    def backward_began(self, outputs: Any) -> None:
        self.events.append(("backward_began", [y.shape for y in outputs]))

    def backward_ended(self, outputs: Any) -> None:
        self.events.append(("backward_ended", [y.shape for y in outputs]))

    def stepped(self, optimizer: Any) -> None:
        self.events.append(("stepped", type(optimizer).__name__))


def test_a_node_is_computed_and_made_in_eager_mode_and_made_then_computed_in_lazy_mode():
    x = tensor([1.0, 2.0])
    with listening(Diary()) as diary:
        y = ndl.exp(x) * x
        with ndl.lazy_mode():
            z = ndl.exp(y)
        z.numpy()
    names = ["Exp", "EWiseMul"]
    expected = [event for name in names for event in (("computed", name), ("made", name))]
    assert diary.events == [*expected, ("made", "Exp"), ("computed", "Exp")]


def test_who_wants_to_hears_at_once_that_a_node_is_computed_and_made():
    class Eager(Diary):
        def computed_and_made(self, node: Any, op: Any, inputs: Any, seconds: float) -> None:
            self.events.append(("computed_and_made", (type(op).__name__, node.numpy().tolist(), len(inputs))))
            assert seconds > 0

    x = tensor([1.0, 2.0])
    with listening(Eager()) as diary:
        y = x * x
        with ndl.lazy_mode():
            z = y + 1
        z.numpy()
    assert diary.events == [
        ("computed_and_made", ("EWiseMul", [1, 4], 2)),
        ("made", "AddScalar"),
        ("computed", "AddScalar"),
    ]


def test_every_share_of_an_adjoint_is_announced_with_its_consumer():
    x = tensor([3.0])
    y = (x * x + x).sum()
    with listening(Diary()) as diary:
        y.backward()
    shares = [what for event, what in diary.events if event == "share"]
    assert shares == [
        ("Summation", 0, [1]),
        ("EWiseAdd", 0, [1]),
        ("EWiseAdd", 1, [1]),
        ("EWiseMul", 0, [3]),
        ("EWiseMul", 1, [3]),
    ]
    assert diary.events[0] == ("backward_began", [()]) and diary.events[-1] == ("backward_ended", [()])


def test_who_wants_to_hears_at_once_what_a_node_hands_to_all_its_inputs():
    class Brief(Diary):
        def all_shares(self, consumer: Any, shares: Any) -> None:
            self.events.append(("all_shares", (type(consumer.op).__name__, [g.numpy().tolist() for g in shares])))

    x = tensor([3.0])
    y = x * x + x
    with listening(Brief()) as diary:
        y.backward()
    assert [what for event, what in diary.events if event in ("share", "all_shares")] == [
        ("EWiseAdd", [[1], [1]]),
        ("EWiseMul", [[3], [3]]),
    ]


class HalfWrong(ndl.ops.EWiseMul):
    """A student's, whose second share is an array."""

    def gradient(self, out_grad: Any, node: Any) -> Any:
        return out_grad * node.inputs[1], np.ones(1)


def test_shares_are_told_up_to_one_that_is_no_node():
    x, y = tensor([3.0]), tensor([2.0])
    z = HalfWrong()(x, y)
    raises = pytest.raises(TypeError, match="gradient of input 1 must be a Tensor")
    with listening(Diary()) as diary, ndl.debug.record() as trace, raises:
        z.backward()
    assert [what for event, what in diary.events if event == "share"] == [("HalfWrong", 0, [2])]
    assert [(e.kind, e.op, e.position) for e in trace.events if e.kind in ("share", "failed")] == [
        ("share", "HalfWrong", 0),
        ("failed", "HalfWrong", None),
    ]


def test_a_training_step_is_told_from_module_to_update():
    np.random.seed(0)
    model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.ReLU())
    model.modules[0].weight.data = ndl.ones_like(model.modules[0].weight)
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    with listening(Diary()) as diary:
        loss = model(ndl.Tensor([[1.0, 2.0]], dtype="float32", requires_grad=False)).sum()
        loss.backward(create_graph=False)
        optimizer.step()
    told = [event for event in diary.events if event[0] not in ("computed", "made", "share")]
    assert told == [
        ("entered", "Sequential"),
        ("entered", "Linear"),
        ("left", "Linear"),
        ("entered", "ReLU"),
        ("left", "ReLU"),
        ("left", "Sequential"),
        ("backward_began", [()]),
        ("freed", "Summation"),
        ("freed", "ReLU"),
        ("freed", "MatMul"),
        ("backward_ended", [()]),
        ("replaced", ([[1.0], [1.0]], [[0.5], [0.0]])),
        ("stepped", "SGD"),
    ]


def test_the_end_is_told_after_an_error_too():
    class Broken(nn.Module):
        def forward(self, x: Any) -> Any:
            raise ZeroDivisionError

    with listening(Diary()) as diary, pytest.raises(ZeroDivisionError):
        Broken()(1)
    assert diary.events == [("entered", "Broken"), ("left", "Broken")] and not listeners


def test_what_a_listener_does_is_not_announced():
    class Curious(Diary):
        def made(self, node: Any, op: Any, inputs: Any) -> None:
            super().made(node, op, inputs)
            (node.detach() * 2 + 1).numpy()

    with listening(Curious()) as curious:
        ndl.exp(tensor([1.0]))
    assert curious.events == [("computed", "Exp"), ("made", "Exp")]


def test_listening_changes_no_number():
    alone = delicate_training_step()
    with listening(Diary()) as diary:
        watched = delicate_training_step()
    assert len(diary.events) > 50
    for a, b in zip(alone, watched, strict=True):
        np.testing.assert_array_equal(a, b)


@nd_only
def test_a_compiled_function_runs_as_it_is_while_somebody_listens():
    compiled = ndl.compile(lambda x: ndl.exp(x) * 2)
    x = ndl.Tensor([1.0], requires_grad=False)
    for _ in range(3):
        compiled(x)
    with listening(Diary()) as diary:
        compiled(x)
    assert ("made", "Exp") in diary.events
    assert len(compiled.programs) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_child_of_fork_is_told_in_all_its_threads_whatever_the_parent_was_doing():
    strangers = {get_ident() + 1, get_ident() + 2}
    door._telling.update(dict.fromkeys(strangers))
    try:
        child = os.fork()
        if child == 0:
            os._exit(len(door._telling))
        assert os.waitpid(child, 0)[1] == 0 and strangers <= set(door._telling)
    finally:
        for stranger in strangers:
            del door._telling[stranger]
