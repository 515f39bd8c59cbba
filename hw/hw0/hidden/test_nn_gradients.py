"""The gradients of a network of two layers, with care."""

# ruff: noqa: N806

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw0.simple_ml import nn_gradients
from hw.hw0.tests.checks import network, slopes
from hw.hw0.tests.test_nn_gradients import network_of
from hw.testing import hint, same


@hint("Other sizes: a single hidden unit, a single example, more classes than anything else.")
@pytest.mark.parametrize(("m", "n", "d", "k"), [(5, 3, 1, 2), (1, 6, 4, 3), (4, 2, 3, 9), (10, 5, 6, 4)])
def test_other_sizes(m, n, d, k):
    arrays = network_of(m, n, d, k)
    expected = slopes(network, *arrays)
    found = nn_gradients(*arrays)
    same(list(found), expected, of="the gradients by W1 and W2")


@hint("float32 in, float32 out.")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(dtype):
    X, y, W1, W2 = network_of(5, 3, 4, 3)
    expected = slopes(network, X, y, W1, W2)
    found = nn_gradients(X.astype(dtype), y, W1.astype(dtype), W2.astype(dtype))
    for name, f, e in zip(("W1", "W2"), found, expected):
        same(f, e, of=f"the gradient by {name}", dtype=dtype)


@hint("relu's derivative asks for the sign of the hidden unit, not for that of what comes back.")
@pytest.mark.parametrize("off", [0, 1, 2])
def test_one_unit_is_off_for_all(off):
    X, y, W1, W2 = network_of(6, 3, 3, 4)
    W1 = np.abs(W1)
    W1[:, off] *= -1
    expected = slopes(network, X, y, W1, W2)
    same(list(nn_gradients(X, y, W1, W2)), expected, of="the gradients by W1 and W2")


@hint("Inputs may be negative; it is the hidden units that relu looks at.")
def test_negative_inputs():
    _, y, W1, W2 = network_of(6, 3, 4, 3)
    X = random(6, 3, seed=9)
    expected = slopes(network, X, y, W1, W2)
    same(list(nn_gradients(X, y, W1, W2)), expected, of="the gradients by W1 and W2")


@hint("Large logits: the gradient by the logits is your softmax_gradient, which is stable.")
def test_large_weights():
    X, y = np.array([[1.0, 2.0]]), np.array([1])
    W1, W2 = np.array([[300.0, -1.0], [200.0, 2.0]]), np.array([[5.0, 4.0], [0.0, 1.0]])
    same(nn_gradients(X, y, W1, W2)[1], np.array([[700.0, -700.0], [3.0, -3.0]]), of="the gradient by W2")
    same(nn_gradients(X, y, W1, W2)[0], np.array([[1.0, -1.0], [2.0, -2.0]]), of="the gradient by W1")
