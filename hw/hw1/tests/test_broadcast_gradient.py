"""Gradient: broadcasting."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import numerical, random
from hw.hw1.tests.checks import gradients, is_graph_of, node_of, values
from hw.testing import hint, same
from needle.autograd import Tensor
from needle.ops import BroadcastTo, sum_to


def counted(*shape: int) -> np.ndarray:
    """1, 2, 3, ... in a shape."""
    return np.arange(1.0, np.prod(shape) + 1).reshape(shape)


def check_sum_to(large, small, subscripts):
    a = counted(*large)
    expected = np.einsum(subscripts, a).reshape(small)
    mistakes = {
        "this is a mean, not a sum": expected * expected.size / a.size,
        "elements are dropped, not summed": a.ravel()[: expected.size].reshape(small),
    }
    same(values(sum_to(Tensor(a), small)), expected, of=f"sum_to(a, {small})", given={"a": a}, mistakes=mistakes)


@hint("Nothing was broadcast, so there is nothing to sum.")
@pytest.mark.parametrize("shape", [(2,), (2, 1), (1, 3)])
def test_sum_to_the_same_shape(shape):
    check_sum_to(shape, shape, "...->...")


@hint("Axes that are new stand in front: sum over them.")
@pytest.mark.parametrize(
    ("large", "small", "subscripts"),
    [((2,), (), "i->"), ((2, 3), (3,), "ij->j"), ((3, 3), (3,), "ij->j"), ((2, 3, 4), (4,), "ijk->k")],
)
def test_sum_to_fewer_axes(large, small, subscripts):
    check_sum_to(large, small, subscripts)


@hint("Where shape has 1 and a has more, sum, and keep an axis of extent 1.")
@pytest.mark.parametrize(
    ("large", "small", "subscripts"),
    [((3,), (1,), "i->"), ((2, 3), (2, 1), "ij->i"), ((2, 3), (1, 3), "ij->j"), ((2, 3, 4), (1, 3, 1), "ijk->j")],
)
def test_sum_to_extents_of_1(large, small, subscripts):
    check_sum_to(large, small, subscripts)


@hint("Both at once: axes that are new, and axes that had extent 1. Shapes are aligned from the right.")
@pytest.mark.parametrize(
    ("large", "small", "subscripts"),
    [
        ((2, 3), (1,), "ij->"),
        ((2, 3, 4), (3, 1), "ijk->j"),
        ((2, 2, 2), (2, 1), "ijk->j"),
        ((2, 3, 2, 4), (3, 1, 4), "abcd->bd"),
    ],
)
def test_sum_to_both(large, small, subscripts):
    check_sum_to(large, small, subscripts)


@hint("An element that was used n times gets the sum of n adjoints: what sum_to does.")
@pytest.mark.parametrize(
    ("shape", "new"),
    [((1,), (3,)), ((), (2, 2)), ((2, 1), (2, 3)), ((3,), (3, 3)), ((3, 1), (2, 3, 4)), ((2, 3), (2, 3))],
)
def test_gradient(shape, new):
    a = np.asarray(random(*shape))
    g = random(*new, seed=1)
    (found,) = gradients(BroadcastTo(new), a + np.zeros(new), g, a)
    expected = numerical(lambda a: np.broadcast_to(a, new), g, a)[0]
    mistakes = {
        "this is a mean, not a sum": expected * a.size / g.size,
        "out_grad is missing": np.full(shape, g.size / a.size),
        "it was summed over the wrong axis": g.sum(-1) if shape == (3,) else None,
    }
    of = f"the gradient of a, of shape {shape}, in broadcast_to(a, {new})"
    same(found, expected, of=of, given={"out_grad": g}, mistakes=mistakes)


@hint("summation and reshape make Tensors; np.sum of .numpy() would not.")
@pytest.mark.parametrize(("shape", "new"), [((1,), (3,)), ((3,), (2, 3))])
def test_gradients_can_be_differentiated(shape, new):
    a, g = Tensor(random(*shape)), Tensor(random(*new))
    op = BroadcastTo(new)
    found = op.gradient_as_tuple(g, node_of(op, np.zeros(new), a))[0]
    same(is_graph_of(found, g), True, of=f"whether the gradient of {op} is made of out_grad, by operators")
