"""Tensors get names: from the user, by the path of their module, and by assignment; no name rather than a wrong one."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn
from tests.autograd.graphs import tensor

exact = pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 knows only the lines of instructions")


def names(trace: Any) -> dict[str, str]:
    """The op of each node that has a name; a leaf's is empty."""
    return {node.name: node.op for node in trace.all_nodes if node.name}


class Square(ndl.TensorOp):
    """An operator as a student writes it."""

    def compute(self, a: Any) -> Any:
        return a * a

    def gradient(self, out_grad: Any, node: Any) -> Any:
        return out_grad * node.inputs[0] * 2


SQUARE = Square()


def doubled(x: Any) -> Any:
    return x * 2


def test_a_name_that_is_given_is_kept_before_within_and_after_the_making():
    x = ndl.debug.name(tensor([1.0]), "before")
    with ndl.debug.record() as trace:
        y = x * 3
        assert ndl.debug.name(y, "within") is y
    assert names(trace) == {"before": "", "within": "MulScalar"}
    assert trace.node("within") == trace.node(y)


def test_only_tensors_get_names_and_only_strings_are_names():
    with pytest.raises(TypeError, match="only a Tensor gets a name, not a int"):
        ndl.debug.name(1, "x")
    with pytest.raises(TypeError, match="a name is a string, not a int"):
        ndl.debug.name(tensor([1.0]), 1)


@exact
def test_assignments_name_what_they_assign(mode):
    a, b = tensor(np.ones((2, 3))), tensor(np.ones((3, 2)))
    with ndl.debug.record() as trace:
        product = a @ b
        total = product.sum()
        other = ndl.exp(total)
    assert names(trace) == {"product": "MatMul", "total": "Summation", "other": "Exp"}
    for name, node in (("product", product), ("total", total), ("other", other)):
        assert trace.node(node).name == name


@exact
def test_of_several_nodes_in_a_line_the_outermost_has_the_name():
    a = tensor([4.0])
    with ndl.debug.record() as trace:
        y = (a * 2 + ndl.exp(a)) / 3
        z: ndl.Tensor = -(a + 1) if a.shape else a
        (w := a * 5)
        y += w
    named = [(node.name, node.op) for node in trace.all_nodes if node.name]
    assert named == [("y", "DivScalar"), ("z", "Negate"), ("w", "MulScalar"), ("y", "EWiseAdd")]
    assert [trace.node(node).name for node in (y, z, w)] == ["y", "z", "w"]


@exact
def test_what_is_assigned_from_another_value_has_no_name():
    a = tensor([4.0])
    with ndl.debug.record() as trace:
        number = (a * 2).item() + 1
        halves = ndl.split(ndl.reshape(a, (1, 1)), 0).tuple()
        listed = [a + 1, a + 2]
        text = str(a * 7) + "!"
        first, second = a * 2, a * 3
    assert (number, len(halves), len(listed), text[-1], first.item(), second.item()) == (9, 1, 2, "!", 8, 12)
    assert names(trace) == {}


@exact
def test_a_function_of_the_user_names_what_it_returns_and_nothing_on_the_way():
    x = tensor([1.0])

    def shifted(x: Any) -> Any:
        return doubled(x + 1)

    def thrown_away(x: Any) -> Any:
        doubled(x)
        return 5

    with ndl.debug.record() as trace:
        y = shifted(x)
        n = thrown_away(x)
    assert n == 5 and names(trace) == {"y": "MulScalar"} and trace.node(y).inputs == (2,)


@exact
def test_in_a_loop_each_round_has_its_name_and_attributes_have_theirs():
    h = tensor([1.0])
    with ndl.debug.record() as trace:
        for _ in range(3):
            h = ndl.exp(h)
        self = type("Holder", (), {})()
        self.state = h * 2
    assert [node.name for node in trace.nodes("Exp")] == ["h"] * 3
    assert trace.node(self.state).name == "self.state"


@exact
def test_a_model_names_its_last_node_alone():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    with ndl.debug.record() as trace:
        logits = model(tensor(np.ones((5, 3)), requires_grad=False))
    assert [node.number for node in trace.nodes(name="logits")] == [trace.node(logits).number]
    assert trace.node(logits).shape == (5, 2)


def test_where_only_lines_are_known_a_line_of_one_operation_has_a_name_and_no_other(monkeypatch):
    monkeypatch.setattr(ndl.debug.names, "_position", lambda frame: None)
    monkeypatch.setattr(ndl.debug.names, "_fates", {})
    a = tensor([4.0])
    with ndl.debug.record() as trace:
        total = SQUARE(a)
        number = (a * 2).item() + 1
    assert number == 9
    assert names(trace) == {"total": "Square"} and trace.node(total).op == "Square"


def test_parameters_have_the_paths_of_the_outermost_module():
    model = nn.Sequential(nn.Linear(3, 4), nn.Residual(nn.Sequential(nn.BatchNorm1d(4))))
    x = tensor(np.ones((5, 3)), requires_grad=False)
    with ndl.debug.record() as trace:
        model.modules[0](x)
        model(x)
    for path, parameter in [*model.named_parameters(), *model.named_buffers()]:
        assert trace.node(parameter).name == path
    assert "modules.1.fn.modules.0.running_mean" in names(trace)


def test_a_name_given_wins_over_a_path():
    model = nn.Linear(2, 2)
    ndl.debug.name(model.weight, "mine")
    with ndl.debug.record() as trace:
        model(tensor(np.ones((1, 2)), requires_grad=False))
    assert trace.node(model.weight).name == "mine" and trace.node(model.bias).name == "bias"


def test_code_without_source_gives_no_names_and_no_errors():
    space: dict[str, Any] = {"ndl": ndl, "x": tensor([1.0])}
    with ndl.debug.record() as trace:
        exec(compile("y = ndl.exp(x)", "<nowhere>", "exec"), space)
    assert names(trace) == {} and trace.node(space["y"]).op == "Exp"
