"""The gradients of a network of two layers."""

# ruff: noqa: N803, N806

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw0.simple_ml import nn_gradients
from hw.hw0.tests.checks import labels, network, slopes
from hw.testing import hint, same


def network_of(m, n, d, k):
    """Examples and weights; about half of the hidden units are off."""
    return random(m, n, low=0.0, high=1.0), labels(m, k), random(n, d, seed=1), random(d, k, seed=2)


def without_relu(X, y, W1, W2):
    return network(X, y, np.eye(X.shape[1]), W1 @ W2)


def compare(X, y, W1, W2):
    expected = slopes(network, X, y, W1, W2)
    found = nn_gradients(X, y, W1, W2)
    given = {"X": X, "y": y, "W1": W1, "W2": W2}
    linear = slopes(without_relu, X, y, W1, W2)
    for i, name in enumerate(("W1", "W2")):
        plausible = {
            "the mean over the batch is not taken": expected[i] * len(X),
            "the sign is wrong": -expected[i],
            "there is no relu": linear[i],
            "the mean is taken twice": expected[i] / len(X),
        }
        if len(X) == 1:
            del plausible["the mean over the batch is not taken"], plausible["the mean is taken twice"]
        same(found[i], expected[i], of=f"the gradient by {name}", given=given, mistakes=plausible)


@hint("One hidden unit, which is on: relu does nothing here. G2 = softmax_gradient(hidden W2, y).")
def test_a_unit_that_is_on():
    compare(np.array([[0.5]]), np.array([1]), np.array([[0.8]]), np.array([[1.0, -1.0]]))


@hint("A hidden unit that is off (its input is negative) has no part in the loss: its gradients are 0.")
def test_a_unit_that_is_off():
    compare(np.array([[0.5]]), np.array([1]), np.array([[-0.8]]), np.array([[1.0, -1.0]]))


@hint("By W2: hidden^T G2. By W1: X^T G1, where G1 is G2 W2^T, but 0 where the hidden unit is off.")
@pytest.mark.parametrize(("m", "n", "d", "k"), [(1, 2, 3, 2), (2, 3, 2, 4), (3, 3, 3, 3), (6, 4, 5, 3)])
def test_gradients(m, n, d, k):
    compare(*network_of(m, n, d, k))


@hint("At 0 the derivative of relu is taken as 0: ask whether a hidden unit is > 0.")
@pytest.mark.parametrize("m", [1, 4])
def test_at_the_kink(m):
    X, y, W1, W2 = network_of(m, 3, 4, 2)
    found = nn_gradients(X, y, np.zeros_like(W1), W2)
    same(found[0], np.zeros_like(W1), of="the gradient by W1, which is 0")
    same(found[1], np.zeros_like(W2), of="the gradient by W2, where W1 is 0")


@hint("nn_gradients computes; it is nn_epoch that takes steps.")
def test_inputs_stay_what_they_are():
    arrays = network_of(4, 3, 5, 2)
    before = [array.copy() for array in arrays]
    nn_gradients(*arrays)
    for name, array, expected in zip(("X", "y", "W1", "W2"), arrays, before):
        same(array, expected, of=f"{name}, afterwards")
