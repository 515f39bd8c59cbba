"""The softmax loss, with care."""

# ruff: noqa: N806

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw0.simple_ml import softmax_loss
from hw.hw0.tests.checks import labels, surprise
from hw.testing import hint, same


@hint("More rows than classes, more classes than rows, one row, one class.")
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 2), (3, 12), (20, 10)])
def test_other_shapes(shape):
    Z, y = random(*shape, seed=5, low=-6, high=6), labels(*shape)
    same(softmax_loss(Z, y), surprise(Z, y), of="the loss", rtol=1e-6)


@hint("float32 in, float32 out.")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(dtype):
    Z, y = random(5, 3, dtype=dtype), labels(5, 3)
    same(softmax_loss(Z, y), surprise(Z, y), of="the loss", dtype=dtype, rtol=1e-5)


@hint("Each row has a largest element of its own: rows of very different sizes stand in one batch.")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_very_different_sizes(dtype):
    Z = np.array([[1e4, 1e4], [0, 1], [-1e4, -1e4], [3, 3]], dtype=dtype)
    expected = (3 * np.log(2) + np.log(1 + np.e)) / 4
    # At 1e4, float32 has three digits behind the point.
    tolerance = 1e-3 if dtype == "float32" else 1e-6
    same(softmax_loss(Z, np.array([0, 0, 1, 1])), expected, of="the loss", rtol=tolerance)


@hint("A loss may be as small as it likes, and 0: nothing has to be added inside the logarithm.")
@pytest.mark.parametrize("gap", [5.0, 10.0, 200.0])
def test_small_and_large_losses(gap):
    Z = np.array([[gap, 0.0]])
    same(softmax_loss(Z, np.array([0])), np.log1p(np.exp(-gap)), of="the loss", atol=1e-9)
    same(softmax_loss(Z, np.array([1])), gap + np.log1p(np.exp(-gap)), of="the loss", rtol=1e-9)


@hint("Labels may be of any type of integers, and stay what they are.")
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64"])
def test_types_of_labels(dtype):
    Z, y = random(300, 3), labels(300, 3).astype(dtype)
    same(softmax_loss(Z, y), surprise(Z, y), of="the loss")
