"""Topological order, with care: large graphs, each node visited once, real tensors."""

from __future__ import annotations

import random

import pytest

from hw.hw1.tests.test_topological_sort import Step, order
from hw.testing import hint, same
from needle.autograd import Tensor, find_topo_sort


def post_order(edges: dict[int, list[int]], roots: list[int]) -> list[int]:
    """The definition, recursively, of a graph of numbers."""
    found: dict[int, None] = {}

    def visit(node: int) -> None:
        if node not in found and node not in entered:
            entered.add(node)
            for x in edges[node]:
                visit(x)
            found[node] = None

    entered: set[int] = set()
    for root in roots:
        visit(root)
    return list(found)


def made(edges: dict[int, list[int]]) -> list[Tensor]:
    nodes: list[Tensor] = []
    for number in range(len(edges)):
        node = Tensor.make_const(0.0, requires_grad=True)
        if edges[number]:
            node.op, node.inputs = Step(), tuple(nodes[x] for x in edges[number])
        nodes.append(node)
    return nodes


@hint("Any graph: compare with the definition, written recursively.")
@pytest.mark.parametrize("seed", range(20))
def test_random_graphs(seed):
    draw = random.Random(seed)
    edges = {n: [draw.randrange(n) for _ in range(draw.randrange(4))] if n > 2 else [] for n in range(5 + 5 * seed)}
    roots = [len(edges) - 1, *draw.sample(range(len(edges)), 2)]
    nodes = made(edges)
    names = {id(node): number for number, node in enumerate(nodes)}
    found = [names[id(node)] for node in find_topo_sort([nodes[root] for root in roots])]
    same(found, post_order(edges, roots), of="the order", given={"graph": str(edges), "from": roots})


@hint("A chain of 200 nodes is no special case; neither is one in which each node uses the one before twice.")
@pytest.mark.parametrize("uses", [1, 2])
def test_a_chain(uses):
    edges = {n: [n - 1] * uses if n else [] for n in range(20 if uses == 2 else 200)}
    nodes = made(edges)
    found = find_topo_sort([nodes[-1]])
    places = {id(node): number for number, node in enumerate(nodes)}
    same([places[id(node)] for node in found], list(edges), of="the order")


class Counted(Tensor):
    """A node that counts how often it is asked for its inputs."""

    asked = 0

    @property
    def inputs(self):
        self.asked += 1
        return self.made_of

    @inputs.setter
    def inputs(self, made_of):
        self.made_of = made_of


@hint("Mark a node as visited before its inputs are visited; or a graph of n nodes takes 2^n steps.")
def test_each_node_is_visited_once():
    last = Tensor.make_const(0.0, requires_grad=True)
    nodes = []
    for _ in range(12):
        node = Counted.make_const(0.0, requires_grad=True)
        node.op, node.inputs = Step(), (last, last)
        nodes.append(node)
        last = node
    found = find_topo_sort([last])
    same(len(found), 13, of="the number of nodes in the order")
    most = max(node.asked for node in nodes)
    same(most <= 20, True, of="whether no node is asked more than a few times for its inputs")


@hint("The graph stays what it is, and nothing is computed.")
def test_the_graph_is_left_alone():
    a = Tensor([1.0])
    b = a * a
    c = b + a
    before = [(x.op, x.inputs, x.grad, x.cached_data) for x in (a, b, c)]
    found = find_topo_sort([c])
    same([[a, b, c].index(x) for x in found], [0, 1, 2], of="the order of a, b = a a, c = b + a")
    after = [(x.op, x.inputs, x.grad, x.cached_data) for x in (a, b, c)]
    unchanged = all(all(x is y for x, y in zip(*pair)) for pair in zip(before, after))
    same(unchanged, True, of="whether op, inputs, grad and cached_data are what they were")


@hint("ends may be anything that `in` can ask: a set, a dict, a tuple.")
@pytest.mark.parametrize("roots", ["d", "dc", "cd"])
def test_ends_of_several_nodes(roots):
    expected = {"d": "b d", "dc": "b d c", "cd": "b c d"}[roots]
    same(order("b=a c=b d=b", roots, "b"), expected, of="the order", given={"from": roots, "ends": "b"})
