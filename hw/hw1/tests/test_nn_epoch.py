"""A two-layer network."""

# ruff: noqa: N803, N806  (matrices have the course's names)

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import needle as ndl
from apps import simple_ml
from hw.derivatives import random
from hw.testing import hint, same
from needle import data


def epoch(X, y, W1, W2, lr, batch):
    """The same epoch, with the gradients of the network written out."""
    for start in range(0, len(X), batch):
        x, truth = X[start : start + batch], np.eye(W2.shape[1])[y[start : start + batch]]
        hidden = np.maximum(x @ W1, 0)
        e = np.exp(hidden @ W2)
        G2 = (e / e.sum(1, keepdims=True) - truth) / len(x)
        G1 = (G2 @ W2.T) * (hidden > 0)
        W1, W2 = W1 - lr * x.T @ G1, W2 - lr * hidden.T @ G2
    return W1, W2


def problem(n, features=4, hidden=5, classes=3):
    X = random(n, features, low=0.0, high=1.0)
    return X, np.arange(n) % classes, random(features, hidden, seed=1), random(hidden, classes, seed=2)


def compare(n, lr, batch):
    X, y, W1, W2 = problem(n)
    found = simple_ml.nn_epoch(X, y, ndl.Tensor(W1), ndl.Tensor(W2), lr=lr, batch=batch)
    expected = epoch(X, y, W1, W2, lr, batch)
    whole = epoch(X, y, W1, W2, lr, n)
    for i, name in enumerate(("W1", "W2")):
        before = (W1, W2)[i]
        mistakes = {
            "the weights are what they were before": before,
            "the step goes uphill": 2 * before - expected[i],
            "lr is not used": before + (expected[i] - before) / lr,
            "all is one batch": whole[i],
            "the last batch, which is short, is left out": epoch(X[: n // batch * batch], y, W1, W2, lr, batch)[i],
        }
        if n < batch or n % batch == 0:
            del mistakes["the last batch, which is short, is left out"]
        if n <= batch:
            del mistakes["all is one batch"]
        same(
            found[i], expected[i], of=f"{name} after an epoch of {n} examples in batches of {batch}", mistakes=mistakes
        )


@hint("One step of gradient descent: W - lr * W.grad, for relu(X W1) W2 and softmax_loss.")
@pytest.mark.parametrize(("n", "lr"), [(1, 1.0), (3, 0.5), (6, 0.1)])
def test_one_batch(n, lr):
    compare(n, lr, n)


@hint("Batches in the order of the data; each step starts from the weights of the step before; the last may be short.")
@pytest.mark.parametrize(("n", "batch"), [(4, 2), (5, 2), (3, 100), (30, 7)])
def test_several_batches(n, batch):
    compare(n, 0.5, batch)


@hint("New Tensors come back; those that were given stay what they are, and have no part in the graph.")
@pytest.mark.parametrize("n", [3, 9])
def test_weights_are_new(n):
    X, y, W1, W2 = problem(n)
    T1, T2 = ndl.Tensor(W1), ndl.Tensor(W2)
    new = simple_ml.nn_epoch(X, y, T1, T2, lr=0.5, batch=3)
    same(T1, W1, of="the W1 that was given, afterwards")
    same(T2, W2, of="the W2 that was given, afterwards")
    same([type(w).__name__ for w in new], ["Tensor", "Tensor"], of="what comes back")
    same([w.is_leaf() for w in new], [True, True], of="whether what comes back is leaves, without a graph behind")
    same([w is t for w, t in zip(new, (T1, T2))], [False, False], of="whether what comes back is what was given")


@hint("All parts are right, one by one? Then look whether each batch's labels are those of its images.")
def test_it_learns_digits():
    folder = Path(data.__file__).with_name("mini_mnist")
    X, y = simple_ml.parse_mnist(folder / "train-images-idx3-ubyte.gz", folder / "train-labels-idx1-ubyte.gz")
    T, t = simple_ml.parse_mnist(folder / "t10k-images-idx3-ubyte.gz", folder / "t10k-labels-idx1-ubyte.gz")
    draw = np.random.RandomState(0)
    W1 = ndl.Tensor(draw.randn(784, 40).astype("float32") / np.sqrt(40))
    W2 = ndl.Tensor(draw.randn(40, 10).astype("float32") / np.sqrt(10))
    W1, W2 = simple_ml.nn_epoch(X[:4000], y[:4000], W1, W2, lr=0.2, batch=50)
    scores = np.maximum(T @ W1.numpy(), 0) @ W2.numpy()
    error = np.mean(scores.argmax(1) != t)
    print(f"error on the test images: {error:.1%}")
    same(bool(error < 0.2), True, of="whether fewer than 20 % of MiniMNIST's test images are wrong after an epoch")
