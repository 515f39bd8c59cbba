"""A two-layer network, with care."""

# ruff: noqa: N803, N806  (matrices have the course's names)

from __future__ import annotations

import gc
import weakref

import pytest

import needle as ndl
from apps import simple_ml
from hw.hw1.tests.test_nn_epoch import epoch, problem
from hw.testing import hint, same


@hint("Other sizes, several epochs, labels as uint8.")
@pytest.mark.parametrize(("n", "features", "hidden", "classes", "batch"), [(20, 3, 7, 2, 6), (13, 8, 4, 5, 1)])
def test_other_sizes(n, features, hidden, classes, batch):
    X, y, W1, W2 = problem(n, features, hidden, classes)
    found = ndl.Tensor(W1), ndl.Tensor(W2)
    expected = W1, W2
    for _ in range(3):
        found = simple_ml.nn_epoch(X, y.astype("uint8"), *found, lr=0.3, batch=batch)
        expected = epoch(X, y, *expected, 0.3, batch)
    for name, f, e in zip(("W1", "W2"), found, expected):
        same(f, e, of=f"{name} after three epochs")


@hint("float32 in, float32 out.")
def test_dtype():
    X, y, W1, W2 = (part.astype("float32") if part.dtype == float else part for part in problem(9))
    before = X.copy(), y.copy()
    found = simple_ml.nn_epoch(X, y, ndl.Tensor(W1), ndl.Tensor(W2), lr=0.1, batch=4)
    for name, f, e in zip(("W1", "W2"), found, epoch(X.astype(float), y, W1, W2, 0.1, 4)):
        same(f, e, of=f"{name} after an epoch", dtype="float32", rtol=1e-4, atol=1e-5)
    same([X, y], list(before), of="X and y, afterwards")


@hint("The graph of one batch does not hang on that of the next: each begins with new leaves.")
def test_graphs_are_let_go():
    made = []
    original = simple_ml.softmax_loss

    def remembered(Z, y_one_hot):
        loss = original(Z, y_one_hot)
        made.append(weakref.ref(loss))
        return loss

    X, y, W1, W2 = problem(40)
    simple_ml.softmax_loss = remembered
    try:
        kept = simple_ml.nn_epoch(X, y, ndl.Tensor(W1), ndl.Tensor(W2), lr=0.1, batch=4)
    finally:
        simple_ml.softmax_loss = original
    gc.collect()
    alive = sum(reference() is not None for reference in made)
    same(alive, 0, of="how many of the losses are still alive")
    same([w.inputs == () for w in kept], [True, True], of="whether the weights are without a graph")
