"""Gradient: the matrix product."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import numerical, random
from hw.hw1.tests.checks import gradients, is_graph_of, node_of
from hw.testing import hint, same
from needle.autograd import Tensor
from needle.ops import MatMul

SHAPES = [((1, 2), (2, 1)), ((2, 2), (2, 2)), ((2, 3), (3, 4)), ((3, 1), (1, 2))]


def check(left, right, position):
    a, b = random(*left), random(*right, seed=1)
    y = np.matmul(a, b)
    g = random(*y.shape, seed=2)
    expected = numerical(np.matmul, g, a, b)[position]
    wrong = {}
    if left == right == (2, 2):
        wrong = {
            "the factor is not transposed": (g @ b, a @ g)[position],
            "the factors are in the wrong order": (b.T @ g, g @ a.T)[position],
            "out_grad is transposed": (g.T @ b.T, a.T @ g.T)[position],
            "the gradients of a and b are swapped": (a.T @ g, g @ b.T)[position],
            "out_grad is missing": (np.ones((2, 2)) @ b.T, a.T @ np.ones((2, 2)))[position],
            "this is a product element by element": (g * b, g * a)[position],
        }
    found = gradients(MatMul(), y, g, a, b)[position]
    of = f"the gradient of {'ab'[position]} in a @ b"
    same(found, expected, of=of, given={"a": a, "b": b, "out_grad": g}, mistakes=wrong)


@hint("For C = A B: dL/dA = G B^T.")
@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_gradient_of_the_left_factor(left, right):
    check(left, right, 0)


@hint("For C = A B: dL/dB = A^T G.")
@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_gradient_of_the_right_factor(left, right):
    check(left, right, 1)


@hint("Of a batch of matrices, the last two axes are swapped: transpose without axes does that.")
@pytest.mark.parametrize(
    ("left", "right"), [((2, 1, 2), (2, 2, 1)), ((3, 2, 2), (3, 2, 2)), ((2, 3, 1, 2), (2, 3, 2, 4))]
)
@pytest.mark.parametrize("position", [0, 1])
def test_batches(left, right, position):
    check(left, right, position)


@hint("A matrix that was used for every matrix of a batch gets the sum of their gradients: sum_to.")
@pytest.mark.parametrize(
    ("left", "right", "position"), [((2, 1, 2), (2, 1), 1), ((3, 2, 4), (4, 5), 1), ((2, 3), (4, 3, 2), 0)]
)
def test_one_matrix_for_a_batch(left, right, position):
    check(left, right, position)


@hint("Write with @ and transpose on Tensors.")
@pytest.mark.parametrize("position", [0, 1])
def test_gradients_can_be_differentiated(position):
    a, b, g = Tensor(random(2, 3)), Tensor(random(3, 4)), Tensor(random(2, 4))
    found = MatMul().gradient_as_tuple(g, node_of(MatMul(), np.zeros((2, 4)), a, b))[position]
    of = f"whether the gradient of {'ab'[position]} is made of out_grad and {'ba'[position]}, by operators"
    same(is_graph_of(found, g, (b, a)[position]), True, of=of)
