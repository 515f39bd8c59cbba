"""Gradient of broadcasting, with care."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import numerical, random
from hw.hw1.tests.checks import gradients, values
from hw.testing import hint, same
from needle.autograd import Tensor
from needle.ops import BroadcastTo, sum_to

CASES = [
    ((1, 1), (1, 1)),
    ((1,), (1, 1)),
    ((1, 1, 1), (2, 3, 4)),
    ((2, 1, 2, 1), (2, 2, 2, 2)),
    ((2, 1, 3), (4, 2, 2, 3)),
    ((1, 2, 1), (3, 4, 2, 5)),
    ((2,), (2, 2, 2)),
    ((1,), (4, 1)),
]


@hint("All mixtures of new axes, extents of 1 that were repeated, and extents of 1 that were not.")
@pytest.mark.parametrize(("shape", "new"), CASES)
def test_any_shape(shape, new):
    a, g = random(*shape), random(*new, seed=1)
    (found,) = gradients(BroadcastTo(new), a + np.zeros(new), g, a)
    expected = numerical(lambda a: np.broadcast_to(a, new), g, a)[0]
    same(found, expected, of=f"the gradient of a, of shape {shape}, in broadcast_to(a, {new})")


@hint("An element that was used 0 times has gradient 0; without elements there is a gradient without elements.")
@pytest.mark.parametrize(
    ("shape", "new"), [((1, 3), (0, 3)), ((3,), (0, 3)), ((0,), (4, 0)), ((1,), (0,)), ((0, 1), (0, 2))]
)
def test_nothing_at_all(shape, new):
    (found,) = gradients(BroadcastTo(new), np.zeros(new), np.zeros(new), random(*shape))
    same(found, np.zeros(shape), of=f"the gradient of a, of shape {shape}, in broadcast_to(a, {new})")


@hint("sum_to is the transpose of broadcasting: <broadcast(v), a> = <v, sum_to(a)>.")
@pytest.mark.parametrize(("shape", "new"), CASES)
def test_sum_to_is_the_transpose_of_broadcasting(shape, new):
    v, a = random(*shape, seed=3), random(*new, seed=4)
    expected = np.sum(np.broadcast_to(v, new) * a)
    found = values(sum_to(Tensor(a), shape))
    same(found.shape, shape, of=f"the shape of sum_to(a, {shape})")
    same(np.sum(v * found), expected, of=f"the inner product of v and sum_to(a, {shape})", rtol=1e-9)


@hint("float32 stays float32, and out_grad stays what it is.")
@pytest.mark.parametrize(("shape", "new"), [((3,), (2, 3)), ((2, 1), (2, 3)), ((2, 3), (2, 3))])
def test_dtypes_and_inputs_are_kept(shape, new):
    a, g = random(*shape, dtype="float32"), random(*new, seed=1, dtype="float32")
    before = g.copy()
    expected = numerical(lambda a: np.broadcast_to(a, new), g.astype("float64"), a.astype("float64"))[0]
    (found,) = gradients(BroadcastTo(new), np.broadcast_to(a, new), g, a)
    same(found, expected, of=f"the gradient of a, of shape {shape}", dtype="float32")
    same(g, before, of="out_grad, afterwards")
