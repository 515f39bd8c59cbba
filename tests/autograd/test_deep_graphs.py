"""Chains of 100,000 nodes: building, realizing, differentiating, printing, copying and freeing them never recurses."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import time
from contextlib import nullcontext

import pytest

import needle as ndl
from needle.autograd import find_topo_sort
from tests.autograd.graphs import counted_computations, live_values, tensor

DEPTH = 100_000


def chain(x: ndl.Tensor, depth: int = DEPTH) -> ndl.Tensor:
    """`x`, negated `depth` times."""
    for _ in range(depth):
        x = ndl.negate(x)
    return x


@pytest.fixture(params=["eager", "lazy"])
def block(request):
    """A context in which nodes are made eagerly or lazily."""
    return {"eager": nullcontext, "lazy": ndl.lazy_mode}[request.param]


@pytest.fixture(autouse=True)
def little_stack():
    """Leave room for a hundred frames, so that a recursion over anything fails at once."""
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 150)
    yield
    sys.setrecursionlimit(limit)


@pytest.fixture(autouse=True)
def no_garbage_collection():
    """Chains are freed without the garbage collector, which takes a third of the time here and is not needed."""
    gc.disable()
    yield
    gc.enable()


def test_is_built_realized_sorted_printed_differentiated_and_freed(block):
    before = live_values()
    with block():
        x, weight = tensor(3.0), tensor(2.0)
        y = chain(x)
        assert y.shape == () and "Negate" in repr(y)
        str(y)
        assert y.numpy() == 3
        order = find_topo_sort([y])
        assert len(order) == DEPTH + 1 and order[0] is x and order[-1] is y
        y.backward(weight)
        assert x.grad.requires_grad and x.grad.numpy() == 2
        repr(x.grad)
    del y, order, x, weight
    assert live_values() == before


def test_is_differentiated_without_a_graph(block):
    before = live_values()
    with block():
        x = tensor(3.0)
        chain(x, DEPTH // 4).backward(create_graph=False)
        assert x.grad.numpy() == 1
    x.grad = None
    assert live_values() == before + 1


def test_its_gradient_can_be_differentiated(block):
    with block():
        x, weight = tensor(3.0), tensor(2.0)
        chain(x, DEPTH // 10).backward(weight)
        x.grad.backward(create_graph=False)
        assert weight.grad.numpy() == 1


def test_each_node_is_computed_once(block):
    depth = 2000
    with counted_computations() as counts, block():
        y = chain(tensor(3.0), depth)
        y.numpy()
        y.inputs[0].inputs[0].numpy()
    assert counts["Negate"] == depth


def test_a_lazy_chain_without_gradient_shrinks_as_it_is_computed():
    with ndl.lazy_mode():
        before = live_values()
        y = chain(tensor(3.0, requires_grad=False), 1000)
        assert live_values() == before + 1001
        y.numpy()
        assert live_values() == before + 1


def test_a_leaf_that_is_used_at_every_step_sums_its_shares():
    x = tensor(1.0, dtype="float64")
    y = x
    for _ in range(20_000):
        y = y + x
    y.backward(create_graph=False)
    assert x.grad.item() == 20_001


def test_detaching_and_copying_it_does_not_follow_it(block):
    with block():
        y = chain(tensor(3.0), DEPTH // 4)
        for other in (y.detach(), copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
            assert other.numpy() == 3


def test_time_per_node_does_not_grow_with_depth():
    """A bound with much room, against work that is quadratic; the figures are for `make bench`."""

    def seconds_per_node(depth: int) -> float:
        start = time.perf_counter()
        chain(tensor(1.0), depth).backward()
        return (time.perf_counter() - start) / depth

    short = min(seconds_per_node(2000) for _ in range(3))
    assert seconds_per_node(20_000) < 15 * short
