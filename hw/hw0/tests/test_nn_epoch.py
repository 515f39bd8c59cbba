"""An epoch of a network of two layers."""

# ruff: noqa: N803, N806

from __future__ import annotations

import numpy as np
import pytest

from hw.hw0.simple_ml import nn_epoch
from hw.hw0.tests.checks import descended, digits, mistakes, network, slopes
from hw.hw0.tests.test_nn_gradients import network_of
from hw.testing import hint, same


def one_after_the_other(X, y, W1, W2, lr):
    """A step of W2, and then, from there, one of W1."""
    W2 = W2 - lr * slopes(network, X, y, W1, W2)[1]
    return [W1 - lr * slopes(network, X, y, W1, W2)[0], W2]


def compare(m, lr, batch):
    X, y, W1, W2 = network_of(m, 4, 5, 3)
    expected = descended(network, X, y, [W1, W2], lr, batch)
    found = W1.copy(), W2.copy()
    nn_epoch(X, y, *found, lr, batch)
    for i, name in enumerate(("W1", "W2")):
        plausible = mistakes(network, X, y, [W1, W2], lr, batch, of=i)
        if m <= batch and i == 0:
            plausible["W2 is changed before the gradient by W1 is taken"] = one_after_the_other(X, y, W1, W2, lr)[0]
        of = f"{name} after an epoch of {m} examples in batches of {batch}"
        same(found[i], expected[i], of=of, given={"lr": lr}, mistakes=plausible)


@hint("One batch: first both gradients, then both steps.")
@pytest.mark.parametrize(("m", "lr"), [(1, 1.0), (3, 0.5), (6, 0.1)])
def test_one_batch(m, lr):
    compare(m, lr, m)


@hint("Batches in the order of the data; each starts from the weights that the one before has left; the last is short.")
@pytest.mark.parametrize(("m", "batch"), [(4, 2), (5, 2), (3, 100)])
def test_several_batches(m, batch):
    compare(m, 0.5, batch)


@hint("W1 -= ... changes the array that was given; W1 = W1 - ... makes another, which the caller never sees.")
def test_weights_are_changed_in_place():
    X, y, W1, W2 = network_of(4, 3, 2, 3)
    before = X.copy(), y.copy(), W1.copy(), W2.copy()
    expected = descended(network, X, y, [W1, W2], 0.5, 3)
    nn_epoch(X, y, W1, W2, lr=0.5, batch=3)
    for name, array, new, old in zip(("W1", "W2"), (W1, W2), expected, before[2:]):
        same(array, new, of=f"the array that was given as {name}", mistakes={"it has not changed": old})
    same(X, before[0], of="X, afterwards")
    same(y, before[1], of="y, afterwards")


@hint("Both gradients and both steps are right? Then look whether each batch's labels are those of its images.")
def test_it_learns_digits():
    X, y = digits("train", 4000)
    T, t = digits("t10k", 1000)
    draw = np.random.RandomState(0)
    W1 = (draw.randn(784, 40) / np.sqrt(40)).astype("float32")
    W2 = (draw.randn(40, 10) / np.sqrt(10)).astype("float32")
    nn_epoch(X, y, W1, W2, lr=0.2, batch=50)
    error = float(np.mean((np.maximum(T @ W1, 0) @ W2).argmax(1) != t))
    print(f"error on the test images: {error:.1%}")
    same(error < 0.2, True, of="whether fewer than 20 % of MiniMNIST's test images are wrong after an epoch")
