"""Topological order of the graph."""

from __future__ import annotations

import pytest

from hw.testing import hint, same
from needle.autograd import Tensor, TensorOp, find_topo_sort


class Step(TensorOp):
    """An operator of any number of inputs, which nothing is computed with."""


def graph(edges: str) -> dict[str, Tensor]:
    """The nodes of a graph: ``"c=ab d=cc"`` has leaves a and b, c made of both, and d made of c twice."""
    nodes: dict[str, Tensor] = {}
    for edge in edges.split():
        name, _, inputs = edge.partition("=")
        node = Tensor.make_const(0.0, requires_grad=True)
        if inputs:
            for x in inputs:
                nodes.setdefault(x, Tensor.make_const(0.0, requires_grad=True))
            node.op, node.inputs = Step(), tuple(nodes[x] for x in inputs)
        nodes[name] = node
    return nodes


def order(edges: str, roots: str, ends: str = "") -> str:
    """What find_topo_sort gives, by the names of the nodes."""
    nodes = graph(edges)
    names = {id(node): name for name, node in nodes.items()}
    given = [[nodes[x] for x in roots]] + ([{nodes[x] for x in ends}] if ends else [])
    found = find_topo_sort(*given)
    if not isinstance(found, list):
        return f"a {type(found).__name__}, not a list"
    return " ".join(names.get(id(node), "?") for node in found)


@hint("A node comes after its inputs, and these come in the order of node.inputs.")
@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ("a", "a"),
        ("b=a", "a b"),
        ("c=ab", "a b c"),
        ("c=ba", "b a c"),
        ("c=ab d=c", "a b c d"),
        ("c=ab e=cd", "a b c d e"),
    ],
)
def test_trees(edges, expected):
    last = edges.split()[-1][0]
    mistakes = {
        "the order is reversed": " ".join(reversed(expected.split())),
        "the node itself is missing": expected[:-2],
        "nodes come before their inputs": " ".join([last, *expected.split()[:-1]]),
    }
    found = order(edges, last)
    same(found, expected, of="the order", given={"graph": edges, "from": last}, mistakes=mistakes)


@hint("A node that is used twice stands in the list once, where it is reached first.")
@pytest.mark.parametrize(
    ("edges", "expected", "twice"),
    [
        ("b=aa", "a b", "a a b"),
        ("c=ab d=ca", "a b c d", "a b c a d"),
        ("b=a c=a d=bc", "a b c d", "a b a c d"),
        ("c=ab d=cb e=dc", "a b c d e", "a b c b d a b c e"),
        ("b=a c=ab d=cba", "a b c d", "a a b c a b a d"),
    ],
)
def test_each_node_once(edges, expected, twice):
    last = edges.split()[-1][0]
    mistakes = {"nodes that are used several times stand in the list several times": twice}
    found = order(edges, last)
    same(found, expected, of="the order", given={"graph": edges, "from": last}, mistakes=mistakes)


@hint("Depth first: all that is behind the first input, before the second input.")
@pytest.mark.parametrize(
    ("edges", "expected"),
    [("c=a d=b e=cd", "a c b d e"), ("c=a d=b e=dc", "b d a c e"), ("c=ab d=b e=cd f=ea", "a b c d e f")],
)
def test_depth_first(edges, expected):
    last = edges.split()[-1][0]
    nodes = [edge[0] for edge in edges.split()]
    leaves = sorted(set(edges) - {*nodes, "=", " "})
    mistakes = {"the walk is breadth first: level by level": " ".join([*leaves, *nodes])}
    found = order(edges, last)
    same(found, expected, of="the order", given={"graph": edges, "from": last}, mistakes=mistakes)


@hint("node_list may hold several nodes: one after the other, and none twice.")
@pytest.mark.parametrize(
    ("edges", "roots", "expected"),
    [
        ("b=a c=a", "bc", "a b c"),
        ("b=a c=a", "cb", "a c b"),
        ("b=a c=b", "bc", "a b c"),
        ("b=a", "bb", "a b"),
        ("b=a", "", ""),
    ],
)
def test_several_nodes(edges, roots, expected):
    found = order(edges, roots)
    same(found, expected, of="the order", given={"graph": edges, "from": roots})


@hint("A node in `ends` is listed, but the walk does not go on to its inputs.")
@pytest.mark.parametrize(
    ("edges", "ends", "expected", "whole"),
    [
        ("b=a c=b", "b", "b c", "a b c"),
        ("c=ab d=c", "c", "c d", "a b c d"),
        ("b=a c=a d=bc", "b", "b a c d", "a b c d"),
        ("b=a c=b", "c", "c", "a b c"),
        ("b=a", "x", "a b", "a b"),
    ],
)
def test_ends(edges, ends, expected, whole):
    last = edges.split()[-1][0]
    found = order(f"{edges} x", last, ends)
    mistakes = {"ends are not looked at": whole, "ends are left out": expected.replace(f"{ends} ", "", 1)}
    same(found, expected, of="the order", given={"graph": edges, "from": last, "ends": ends}, mistakes=mistakes)
