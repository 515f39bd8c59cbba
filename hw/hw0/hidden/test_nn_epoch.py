"""An epoch of a network of two layers, with care."""

# ruff: noqa: N806

from __future__ import annotations

import pytest

from hw.hw0.simple_ml import nn_epoch
from hw.hw0.tests.checks import descended, network
from hw.hw0.tests.test_nn_gradients import network_of
from hw.testing import hint, same


@hint("Other sizes, several epochs.")
@pytest.mark.parametrize(("m", "n", "d", "k", "batch"), [(7, 3, 4, 2, 3), (4, 5, 2, 4, 1), (5, 2, 3, 3, 50)])
def test_other_sizes(m, n, d, k, batch):
    X, y, W1, W2 = network_of(m, n, d, k)
    expected = [W1.copy(), W2.copy()]
    for _ in range(2):
        expected = descended(network, X, y, expected, 0.3, batch)
        nn_epoch(X, y, W1, W2, lr=0.3, batch=batch)
    same([W1, W2], expected, of="W1 and W2 after two epochs")


@hint("lr = 0.1 and batch = 100, if nothing else is said.")
def test_defaults():
    X, y, W1, W2 = network_of(101, 2, 2, 2)
    expected = descended(network, X, y, [W1, W2], 0.1, 100)
    nn_epoch(X, y, W1, W2)
    same([W1, W2], expected, of="W1 and W2 after an epoch of 101 examples", rtol=1e-6, atol=1e-7)


@hint("Weights are float32, and stay so; X and y may be read-only.")
def test_dtype():
    X, y, *weights = network_of(7, 3, 4, 3)
    expected = descended(network, X, y, weights, 0.4, 3)
    X = X.astype("float32")
    W1, W2 = (weight.astype("float32") for weight in weights)
    X.flags.writeable = y.flags.writeable = False
    nn_epoch(X, y, W1, W2, lr=0.4, batch=3)
    for name, found, right in zip(("W1", "W2"), (W1, W2), expected):
        same(found, right, of=f"{name} after an epoch", dtype="float32")
