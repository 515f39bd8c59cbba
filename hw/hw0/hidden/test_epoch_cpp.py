"""An epoch of softmax regression in C++, with care."""

# ruff: noqa: N806

from __future__ import annotations

import numpy as np
import pytest

from hw.hw0 import simple_ml_cpp
from hw.hw0.tests.checks import descended, framed, labels, problem, regression
from hw.testing import hint, same


@hint("Other sizes, several epochs; the batch may be larger than the data.")
@pytest.mark.parametrize(("m", "n", "k", "batch"), [(10, 3, 5, 4), (13, 5, 2, 1), (8, 2, 3, 50), (0, 2, 3, 5)])
def test_other_sizes(m, n, k, batch):
    X, y, theta = problem(m, n, k)
    x, found, expected = framed(X, np.nan)[0], theta.astype("float32"), theta
    for _ in range(2):
        (expected,) = descended(regression, X, y, [expected], 0.4, batch)
        simple_ml_cpp.softmax_regression_epoch_cpp(x, y, found, lr=0.4, batch=batch)
    same(found, expected, of="theta after two epochs", atol=2e-5)


@hint("Logits may be large: that is what softmax_rows is stable for.")
def test_large_logits():
    X, y = np.array([[100.0], [-100.0]], dtype="float32"), np.array([1, 1], dtype="uint8")
    theta = np.array([[5.0, 0.0]], dtype="float32")
    simple_ml_cpp.softmax_regression_epoch_cpp(X, y, theta, lr=0.01, batch=1)
    same(theta, np.array([[4.0, 1.0]]), of="theta after an epoch")


@hint("Labels above 127 are labels, too: y is unsigned.")
def test_many_classes():
    X, y = np.ones((2, 1), dtype="float32"), np.array([200, 255], dtype="uint8")
    theta = np.zeros((1, 256), dtype="float32")
    (expected,) = descended(regression, X, y, [theta], 1.0, 2)
    simple_ml_cpp.softmax_regression_epoch_cpp(X, y, theta, lr=1.0, batch=2)
    same(theta, expected, of="theta after an epoch with 256 classes")


@hint("It comes to the same as in NumPy, example by example and batch by batch.")
def test_many_batches():
    X = np.random.default_rng(5).random((200, 6)).astype("float32")
    y, theta = labels(200, 4), np.zeros((6, 4), dtype="float32")
    (expected,) = descended(regression, X, y, [theta], 0.3, 30)
    simple_ml_cpp.softmax_regression_epoch_cpp(X, y, theta, lr=0.3, batch=30)
    same(theta, expected, of="theta after an epoch of 200 examples", atol=5e-5)
