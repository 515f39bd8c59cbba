"""The gradient of the softmax loss, with care."""

# ruff: noqa: N806

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import numerical, random
from hw.hw0.simple_ml import softmax_gradient
from hw.hw0.tests.checks import labels, surprise
from hw.testing import hint, same


@hint("More rows than classes, more classes than rows, one class.")
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (8, 2), (3, 11), (12, 10)])
def test_other_shapes(shape):
    Z, y = random(*shape, seed=4), labels(*shape)
    (expected,) = numerical(lambda z: surprise(z, y), 1.0, Z)
    same(softmax_gradient(Z, y), expected, of="the gradient")


@hint("float32 in, float32 out.")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(dtype):
    Z, y = random(4, 3, dtype=dtype), labels(4, 3)
    (expected,) = numerical(lambda z: surprise(z, y), 1.0, Z)
    same(softmax_gradient(Z, y), expected, of="the gradient", dtype=dtype)


@hint("Each row has a largest element of its own.")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_very_different_sizes(dtype):
    Z = np.array([[1e4, 1e4], [0, 0], [-1e4, -1e4]], dtype=dtype)
    expected = np.array([[-0.5, 0.5], [0.5, -0.5], [-0.5, 0.5]]) / 3
    same(softmax_gradient(Z, np.array([0, 1, 0])), expected, of="the gradient")


@hint("Where labels occur several times, every row still has its own 1: index by rows and columns together.")
@pytest.mark.parametrize("truth", [0, 2])
def test_all_rows_of_one_class(truth):
    Z = random(6, 3, seed=8)
    y = np.full(6, truth, dtype=np.uint8)
    (expected,) = numerical(lambda z: surprise(z, y), 1.0, Z)
    same(softmax_gradient(Z, y), expected, of="the gradient")


@hint("Labels of any type of integers, more rows than a byte can count.")
@pytest.mark.parametrize("dtype", ["uint8", "int64"])
def test_many_rows(dtype):
    Z, y = np.zeros((300, 2)), (np.arange(300) % 2).astype(dtype)
    expected = [[-0.5 / 300, 0.5 / 300], [0.5 / 300, -0.5 / 300]] * 150
    same(softmax_gradient(Z, y), np.array(expected), of="the gradient", atol=1e-9)
