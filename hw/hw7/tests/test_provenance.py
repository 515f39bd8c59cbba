"""Where a node comes from and where it goes."""

from __future__ import annotations

import linecache

import pytest

from hw.hw7.provenance import ancestors, consumers, explain, path
from hw.hw7.recorder import Node
from hw.hw7.tests.checks import by_hand, graph
from hw.testing import hint, same
from needle.places import Line

CHAIN = {"n1": (), "n2": (1,), "n3": (2,), "n4": (3,)}
DIAMOND = {"n1": (), "n2": (1,), "n3": (1,), "n4": (2, 3)}
TWO = {"n1": (), "n2": (), "n3": (1, 2), "n4": (2, 2), "n5": (4,)}


@hint("All inputs, their inputs, and so on, and the node itself; each once, smallest number first.")
@pytest.mark.parametrize(
    ("nodes", "number", "expected"),
    [
        ({"n1": ()}, 1, [1]),
        (CHAIN, 3, [1, 2, 3]),
        (DIAMOND, 4, [1, 2, 3, 4]),
        (TWO, 3, [1, 2, 3]),
        (TWO, 5, [2, 4, 5]),
        ({"n1": (), "n2": (), "n3": (2, 1), "n4": (3, 2)}, 4, [1, 2, 3, 4]),
    ],
    ids=["a leaf", "a chain", "a diamond", "two leaves", "one of two", "crossed"],
)
def test_ancestors(nodes, number, expected):
    mistakes = {"the node itself is missing": expected[:-1], "the order is reversed": expected[::-1]}
    same(ancestors(graph(**nodes), number), expected, of=f"the ancestors of #{number}", given=nodes, mistakes=mistakes)


@hint("Who has it among its inputs; x * x is one consumer of x.")
@pytest.mark.parametrize(
    ("nodes", "number", "expected"),
    [(CHAIN, 4, []), (CHAIN, 1, [2]), (DIAMOND, 1, [2, 3]), (TWO, 2, [3, 4])],
    ids=["the last", "a chain", "a diamond", "twice in one"],
)
def test_consumers(nodes, number, expected):
    same(consumers(graph(**nodes), number), expected, of=f"the consumers of #{number}", given=nodes)


SHORTCUT = {"n1": (), "n2": (1,), "n3": (2,), "n4": (3, 1), "n5": (4,)}
LONG = {"n1": (), "n2": (1,), "n3": (2,), "n4": (3,), "n5": (4,), "n6": (1,)}


@hint("From start, which is first in the list, to end, which is last; each an input of the next.")
@pytest.mark.parametrize(
    ("nodes", "start", "end", "expected"),
    [
        (CHAIN, 1, 2, [1, 2]),
        (CHAIN, 1, 4, [1, 2, 3, 4]),
        (CHAIN, 3, 3, [3]),
        (CHAIN, 4, 1, []),
        (TWO, 1, 5, []),
        (SHORTCUT, 1, 5, [1, 4, 5]),
        ({**LONG, "n7": (6, 5)}, 1, 7, [1, 6, 7]),
        ({**LONG, "n7": (5, 6)}, 1, 7, [1, 6, 7]),
    ],
    ids=["a step", "a chain", "itself", "against the arrows", "no way", "a shortcut", "short first", "short last"],
)
def test_path(nodes, start, end, expected):
    mistakes = {
        "it leads from end to start": expected[::-1],
        "it is not the shortest": [1, 2, 3, 4, 5, *([7] if end == 7 else [])],
    }
    found = path(graph(**nodes), start, end)
    same(found, expected, of=f"the path from #{start} to #{end}", given=nodes, mistakes=mistakes)


@hint("A graph may be deeper than Python's stack.")
def test_deep_graphs():
    deep = graph(n1=(), **{f"n{i}": (i - 1,) for i in range(2, 3001)})
    same(ancestors(deep, 3000), list(range(1, 3001)), of="the ancestors in a chain of 3000 nodes")
    same(path(deep, 1, 3000), list(range(1, 3001)), of="the path from one end to the other")
    same(path(deep, 1000, 2000), list(range(1000, 2001)), of="the path from #1000 to #2000")


def line(function, text, monkeypatch):
    """A line whose source is this text."""
    filename = f"{function}: {text}"
    monkeypatch.setitem(linecache.cache, filename, (len(text), None, [f"    {text}\n"], filename))
    return Line(filename, 1, function)


def program(monkeypatch):
    """Records as of a small model."""
    forward = line("forward", "return x @ w", monkeypatch)
    return by_hand(
        [
            Node(1, shape=(2, 3)),
            Node(2, shape=(3, 4), name="layers.0.weight"),
            Node(3, "MatMul", (1, 2), (2, 4), line=forward, module="MLP.layers.0"),
            Node(4, "Summation", (3,), (), line=line("train", "loss = y.sum()", monkeypatch)),
            Node(5, "Exp", (1,), (2, 3), line=line("train", "z = ndl.exp(x)", monkeypatch)),
        ]
    )


@hint("#1 (2, 3) for a leaf; with its name, if it has one.")
@pytest.mark.parametrize(("number", "text"), [(1, "#1 (2, 3)"), (2, "#2 (3, 4) layers.0.weight")])
def test_explain_a_leaf(number, text, monkeypatch):
    same(explain(program(monkeypatch), number), [text], of=f"explain #{number}")


@hint("Two spaces before `where`, and two before the module in brackets, if there is one.")
def test_explain(monkeypatch):
    expected = [
        "#1 (2, 3)",
        "#2 (3, 4) layers.0.weight",
        "#3 (2, 4) = MatMul(#1, #2)  forward: return x @ w  [MLP.layers.0]",
        "#4 () = Summation(#3)  train: loss = y.sum()",
    ]
    same(explain(program(monkeypatch), 4), expected, of="explain #4")
