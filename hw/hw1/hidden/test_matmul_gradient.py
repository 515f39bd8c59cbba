"""Gradient of the matrix product, with care."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import numerical, random
from hw.hw1.tests.checks import gradients, node_of, values
from hw.testing import hint, same
from needle.autograd import Tensor
from needle.ops import MatMul


def check(left, right):
    a, b = random(*left), random(*right, seed=1)
    y = np.matmul(a, b)
    g = random(*y.shape, seed=2)
    for name, found, expected in zip("ab", gradients(MatMul(), y, g, a, b), numerical(np.matmul, g, a, b)):
        same(found, expected, of=f"the gradient of {name} in the product of shapes {left} and {right}")


@hint("Leading axes broadcast, those of either factor, several at once, new ones and extents of 1.")
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((2, 1, 2, 3), (3, 3, 1)),
        ((1, 2, 3), (4, 3, 2)),
        ((4, 2, 3), (1, 3, 2)),
        ((2, 3), (2, 3, 3, 2)),
        ((2, 1, 2, 2), (1, 3, 2, 2)),
        ((2, 2, 2, 2), (2, 2)),
    ],
)
def test_leading_axes_broadcast(left, right):
    check(left, right)


@hint("Any extents, also 1 and 0.")
@pytest.mark.parametrize(
    ("left", "right"),
    [((1, 1), (1, 1)), ((1, 3), (3, 1)), ((5, 1), (1, 4)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((0, 2, 3), (3, 2))],
)
def test_any_extents(left, right):
    check(left, right)


@hint("float32 stays float32.")
@pytest.mark.parametrize(("left", "right"), [((2, 3), (3, 4)), ((2, 2, 3), (3, 4))])
def test_dtypes_are_kept(left, right):
    a, b = random(*left, dtype="float32"), random(*right, seed=1, dtype="float32")
    g = random(*np.matmul(a, b).shape, seed=2, dtype="float32")
    expected = numerical(np.matmul, g.astype("float64"), a.astype("float64"), b.astype("float64"))
    for name, found, right_one in zip("ab", gradients(MatMul(), np.matmul(a, b), g, a, b), expected):
        same(found, right_one, of=f"the gradient of {name}", dtype="float32", rtol=1e-3, atol=1e-4)


@hint("If only one factor requires a gradient, that one must still be right.")
@pytest.mark.parametrize("position", [0, 1])
def test_a_constant_factor(position):
    a, b, g = random(2, 3), random(3, 4, seed=1), random(2, 4, seed=2)
    inputs = [Tensor(x, requires_grad=i == position) for i, x in enumerate((a, b))]
    found = MatMul().gradient_as_tuple(Tensor(g), node_of(MatMul(), a @ b, *inputs))[position]
    expected = numerical(np.matmul, g, a, b)[position]
    same(values(found), expected, of=f"the gradient of {'ab'[position]} if the other factor is a constant")
