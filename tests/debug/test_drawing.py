"""The graph as text: for Graphviz, for Mermaid, and as a tree."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn
from needle.debug import drawing
from needle.debug.drawing import to_dot, to_mermaid
from tests.autograd.graphs import counted_computations, tensor


def diamond() -> tuple[ndl.Tensor, ndl.Tensor]:
    """x, and exp(x) * x + 1."""
    x = tensor([1.0, 2.0])
    return x, ndl.exp(x) * x + 1


def edges(graph: str, arrow: str) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in re.findall(rf"^  n(\d+) {arrow} n(\d+)", graph, re.M)]


def dot_labels(graph: str) -> dict[int, str]:
    found = re.findall(r'^  n(\d+) \[label="((?:[^"\\]|\\.)*)", [^"]*"#\w{6}"[^"]*\];$', graph, re.M)
    return {int(n): re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], label) for n, label in found}


@pytest.mark.parametrize(("write", "arrow"), [(to_dot, "->"), (to_mermaid, "-->")])
def test_the_edges_are_the_inputs_of_every_node(write: Any, arrow: str):
    x, y = diamond()
    order = ndl.autograd.find_topo_sort([y])
    expected = {(order.index(a) + 1, n) for n, node in enumerate(order, 1) for a in node.inputs}
    assert order[0] is x and set(edges(write(y), arrow)) == expected == {(1, 2), (2, 3), (1, 3), (3, 4)}


def test_labels_tell_op_shape_dtype_and_name():
    model = nn.Linear(3, 2)
    x = tensor(np.ones((4, 3)), requires_grad=False)
    labels = dot_labels(to_dot(model(x), model))
    assert labels[1] == "constant\n(4, 3) float32"
    assert labels[2] == "weight\n(3, 2) float32"
    assert labels[3] == "MatMul\n(4, 2) float32"
    assert labels[5] == "BroadcastTo(shape=(4, 2))\n(4, 2) float32"


def test_leaves_are_told_apart():
    model = nn.Linear(2, 2, bias=False)
    x, c = tensor(np.ones((1, 2))), tensor(np.ones((1, 2)), requires_grad=False)
    kinds = [node.kind for node in drawing.read(model(x) + c).nodes]
    assert kinds == ["variable", "parameter", "op", "constant", "op"]
    assert ":::parameter" in to_mermaid(model(x)) and ":::constant" in to_mermaid(model(x) + c)


def test_names_with_any_character_stay_within_their_label():
    name = 'a"b\\c\n<d> #e; `f` ]'
    x = tensor([1.0])
    labels = dot_labels(to_dot(x * 2, {name: x}))
    assert labels[1] == name + "\n(1,) float32" and len(labels) == 2
    line = to_mermaid(x * 2, {name: x}).splitlines()[1]
    inside = re.fullmatch(r'  n1\(\["([^"`<>]*<br/>\(1,\) float32)"\]\):::variable', line)
    assert inside and "a#quot;b\\c #lt;d#gt; #35;e; #96;f#96; ]" in inside[1]


def test_too_many_nodes_are_cut_farthest_first_and_the_text_says_so():
    y = tensor([1.0])
    for _ in range(9):
        y = y + 1
    for write, arrow in ((to_dot, "->"), (to_mermaid, "-.->")):
        drawn = write(y, max_nodes=4)
        assert "6 more nodes behind: not drawn" in drawn and "more nodes" not in write(y)
        assert re.findall(r"cut (\S+) n(\d+)", drawn) == [(arrow, "7")]
    assert [node.number for node in drawing.read(y, max_nodes=4).nodes] == [7, 8, 9, 10]


def test_several_tensors_are_drawn_as_one_graph():
    x, y = diamond()
    graph = drawing.read([y, ndl.exp(x)])
    assert len(graph.nodes) == 5 and len(graph.outputs) == 2


def test_a_lazy_graph_is_drawn_and_nothing_of_it_computed():
    x = tensor([1.0, 2.0])
    with ndl.lazy_mode(), counted_computations() as counts:
        y = ndl.exp(x) * x
        drawn = to_dot(y), to_mermaid(y)
    assert not counts and y.cached_data is None
    assert all(one.count("lazy") == 2 for one in drawn)


def test_a_freed_graph_says_so():
    _, y = diamond()
    y.sum().backward(create_graph=False)
    assert "graph freed" in to_dot(y) and "graph freed" in to_mermaid(y)


def test_odd_attributes_of_a_students_op_raise_nothing_and_print_no_array():
    class Odd:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    class Scale(ndl.TensorOp):
        def __init__(self) -> None:
            self.odd, self.table, self.words = Odd(), np.zeros((1000, 10)), ["word"] * 1000

        def compute(self, a: Any) -> Any:
            return a * 2

        def gradient(self, out_grad: Any, node: Any) -> Any:
            return out_grad * 2

    title = drawing.read(Scale()(tensor([1.0]))).nodes[-1].title
    assert title.startswith("Scale(odd=Odd, table=<array (1000, 10)>, words=('word', ") and len(title) < 160


@pytest.mark.parametrize("thing", [3, "graph", [tensor([1.0]), 2]])
def test_what_is_no_tensor_is_refused_in_words(thing: Any):
    with pytest.raises(TypeError, match=r"a graph is drawn of Tensors, not of a (int|str)"):
        to_dot(thing)
