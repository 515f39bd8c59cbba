"""What Needle asks a listener: known, and what replaced leaves."""

from __future__ import annotations

import pytest

from hw.hw7.recorder import Recorder
from hw.hw7.tests.checks import Net, double, function_of, leaf, square
from hw.testing import hint, same
from needle.listening import listening


@hint("known gives Known(line, number, name, changed), from the record.")
def test_known():
    x = leaf(2)
    with listening(Recorder()) as recorder:
        y = double(x)
    facts = recorder.known(y)
    same([function_of(facts.line), facts.number, facts.name], ["double", 2, ""], of="line, number and name of y")
    same(facts.changed, None, of="where y was changed")
    leaf_facts = recorder.known(x)
    same([leaf_facts.line, leaf_facts.number], [None, 1], of="line and number of x")


@hint("Of a node that was never met nothing is known; asking must not write it down.")
@pytest.mark.parametrize("times", [1, 2])
def test_a_node_that_was_never_met(times):
    recorder, x = Recorder(), leaf(2)
    same([recorder.known(x) for _ in range(times)], [None] * times, of="what is known of a stranger")
    same(len(recorder.nodes), 0, of="how many nodes are written down", mistakes={"asking gives it a number": 1})


def replace(x, value):
    """Give a tensor other data, in a function of its own."""
    x.data = leaf(*x.shape, value=value, requires_grad=False)


@hint("`changed` is the line that replaced the data last.")
@pytest.mark.parametrize("times", [1, 2])
def test_replaced(times):
    x = leaf(2)
    with listening(Recorder()) as recorder:
        double(x)
        for _ in range(times - 1):
            x.data = leaf(2, requires_grad=False)
        replace(x, 3.0)
    same(function_of(recorder.nodes[1].changed), "replace", of="the function that changed x last")
    same(function_of(recorder.known(x).changed), "replace", of="the same, as Needle is told")
    same([len(recorder.nodes), recorder.nodes[1].line], [2, None], of="how many nodes there are; the line of x")


@hint("A tensor that was not met before is met when its data are replaced.")
def test_replaced_at_first():
    x = leaf(2)
    with listening(Recorder()) as recorder:
        replace(x, 3.0)
    same(function_of(recorder.nodes[recorder.number(x)].changed), "replace", of="the function that changed x")


@hint("repr asks `known`, with all listeners that are there.")
def test_repr():
    x = leaf(2)
    with listening(Recorder()):
        y = square(double(x))
        text = repr(y)
    same("#3" in text and "#2, #2" in text, True, of="whether repr(y) tells its number and those of its inputs")
    same("at checks.py:" in text, True, of="whether it tells the file and the line")


@hint("The name is that of the parameter.")
def test_names():
    net = Net()
    with listening(Recorder()) as recorder:
        net(leaf(1, 3))
        text = repr(net.layers[1].weight)
    same(recorder.known(net.layers[1].weight).name, "layers.1.weight", of="the name that known tells")
    same("'layers.1.weight'" in text, True, of="whether repr tells it")
