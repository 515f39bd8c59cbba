"""Walks, shares, and what an adjoint is the sum of."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import needle as ndl
from hw.hw7.adjoints import Adjoints
from hw.hw7.recorder import Recorder
from hw.hw7.tests.checks import double, function_of, leaf, square
from hw.testing import hint, same
from needle.listening import listening


@hint("Walks are numbered from 1 on; what is made outside of them has walk 0.")
def test_walks():
    x = leaf(2)
    with listening(Recorder()) as recorder:
        for _ in range(2):
            square(x).sum().backward()
    walks = [node.walk for node in recorder.nodes.values() if node.op in ("EWiseMul", "Summation", "BroadcastTo")]
    forward = [node.walk for node in recorder.nodes.values() if node.op == "Summation"]
    same(recorder.walks, 2, of="how many walks there were")
    same(forward, [0, 0], of="the walks of the two sums of the forward passes")
    same(sorted(set(walks)), [0, 1, 2], of="which walks made nodes")
    same(list(recorder.here.walks), [], of="what is left on the stack")


@hint("A share goes from the consumer to its input: node, consumer, position are told in this order.")
def test_shares():
    a, b = leaf(2), leaf(2, value=3.0)
    with listening(Recorder()) as recorder:
        c = a * b
        c.backward()
    found = [[s.walk, s.node, s.consumer, s.position] for s in recorder.shares]
    one, two, three = (recorder.number(x) for x in (a, b, c))
    expected = [[1, one, three, 0], [1, two, three, 1]]
    mistakes = {"node and consumer are swapped": [[1, three, one, 0], [1, three, two, 1]]}
    same(found, expected, of="walk, node, consumer, position of the shares of a * b", mistakes=mistakes)
    given = [recorder.nodes[s.share] for s in recorder.shares]
    same([node.op for node in given], ["EWiseMul", "EWiseMul"], of="the ops of the nodes that are the shares")
    same([node.walk for node in given], [1, 1], of="the walk that made them")


@hint("None is written down as None.")
def test_no_share():
    x = leaf(3)
    with listening(Recorder()) as recorder:
        (ndl.ops.greater(x, double(x)) * x).sum().backward()
    found = [s.share is None for s in recorder.shares if recorder.nodes[s.consumer].op == "Greater"]
    same(found, [True] * len(found), of="whether the shares of a comparison are None")


def parts(recorder, node):
    """What contributions gives, in a form that can be compared."""
    given = recorder.contributions(node)
    return [[c.op, function_of(c.line), c.position] for c in given], [c.value for c in given]


@hint("The shares of a node come from its consumers; their sum is its gradient.")
def test_the_sum_is_the_gradient():
    x = leaf(3)
    with listening(Adjoints()) as recorder:
        recorder.watch(x)
        y = square(x) + x * 5.0
        y.sum().backward()
    told, values = parts(recorder, x)
    expected = [["EWiseMul", "square", 0], ["EWiseMul", "square", 1], ["MulScalar", "test_the_sum_is_the_gradient", 0]]
    same(sorted(told), expected, of="op, function, position of the contributions")
    same(sum(values), 2 * x.numpy() + 5.0, of="the sum of the values")
    by_op = {op: value for (op, _, _), value in zip(told, values)}
    same(by_op["MulScalar"], np.full(3, 5.0), of="what came by way of x * 5")
    same(by_op["EWiseMul"], x.numpy(), of="what came by way of x * x, for one of its inputs")


@hint("Only what is watched is kept with its values.")
def test_what_is_not_watched():
    x, w = leaf(2), leaf(2, value=2.0)
    with listening(Adjoints()) as recorder:
        recorder.watch(w)
        (x * w).sum().backward()
    same(len(recorder.values), 1, of="how many values are kept")
    told, values = parts(recorder, x)
    same([len(told), values[0]], [1, None], of="how many contributions to x there are, and the value of the first")
    same(parts(recorder, w)[1][0], x.numpy(), of="the value of the contribution to w")


@hint("Of several walks, the last one that came by this node counts.")
@pytest.mark.parametrize("walks", [2, 3])
def test_several_walks(walks):
    x, other = leaf(2), leaf(2)
    with listening(Adjoints()) as recorder:
        recorder.watch(x)
        for number in range(1, walks + 1):
            (x * float(number)).sum().backward()
        square(other).sum().backward()
    values = parts(recorder, x)[1]
    same(len(values), 1, of="how many contributions there are", mistakes={"all walks are put together": walks})
    same(values[0], np.full(2, float(walks)), of="the value of the contribution")


@hint("In lazy mode a share has no data yet: they come when `computed` is told. The listener must not compute them.")
def test_lazy_mode():
    x = leaf(3)
    with listening(Adjoints()) as recorder, ndl.lazy_mode():
        recorder.watch(x)
        y = square(x).sum()
        y.backward()
        share = recorder.shares[-1].share
        early = [c.value for c in recorder.contributions(x)]
        computed = recorder.nodes[share].seconds is not None
        x.grad.numpy()
        late = [c.value for c in recorder.contributions(x)]
    same(early, [None, None], of="the values, before the gradient is computed")
    same(computed, False, of="whether the share was computed when it was handed on")
    same(sum(late), 2 * x.numpy(), of="the sum of the values, after it")


@hint("Keep copies, not nodes.")
def test_nothing_is_kept_alive():
    x = leaf(2)
    with listening(Adjoints()) as recorder:
        recorder.watch(x)
        y = square(x).sum()
        y.backward()
    nodes = [weakref.ref(x), weakref.ref(y), weakref.ref(x.grad)]
    del x, y
    gc.collect()
    same([node() is None for node in nodes], [True] * 3, of="whether x, y and the gradient are gone")
