"""An epoch of softmax regression."""

# ruff: noqa: N806

from __future__ import annotations

import numpy as np
import pytest

from hw.hw0.simple_ml import softmax_regression_epoch
from hw.hw0.tests.checks import descended, digits, mistakes, problem, regression
from hw.testing import hint, same


def compare(m, n, k, lr, batch):
    X, y, theta = problem(m, n, k)
    (expected,) = descended(regression, X, y, [theta], lr, batch)
    given = {"X": X, "y": y, "theta": theta, "lr": lr, "batch": batch}
    plausible = mistakes(regression, X, y, [theta], lr, batch)
    found = theta.copy()
    softmax_regression_epoch(X, y, found, lr, batch)
    same(found, expected, of="theta after an epoch", given=given, mistakes=plausible)


@hint("One batch, one step: theta -= lr * X^T G, G being softmax_gradient(X theta, y).")
@pytest.mark.parametrize(("m", "n", "k", "lr"), [(1, 1, 2, 0.5), (2, 3, 2, 0.5), (3, 2, 4, 2.0)])
def test_one_batch(m, n, k, lr):
    compare(m, n, k, lr, m)


@hint("Batches in the order of the data, each starting from the theta that the one before has left.")
@pytest.mark.parametrize(("m", "batch"), [(2, 1), (4, 2), (9, 3)])
def test_several_batches(m, batch):
    compare(m, 4, 3, 0.5, batch)


@hint("The last batch may be short; slices stop at the end. The mean is over the rows that it has.")
@pytest.mark.parametrize(("m", "batch"), [(3, 2), (7, 3), (3, 100)])
def test_a_short_batch(m, batch):
    compare(m, 4, 3, 0.5, batch)


@hint("theta = theta - ... makes another array, which the caller never sees. theta -= ... changes the one given.")
def test_theta_is_changed_in_place():
    X, y, theta = problem(4)
    (expected,) = descended(regression, X, y, [theta], 0.3, 2)
    given = X.copy(), y.copy()
    another_name = theta
    softmax_regression_epoch(X, y, theta, lr=0.3, batch=2)
    same(another_name, expected, of="the array that was given as theta", mistakes={"it has not changed": problem(4)[2]})
    same(X, given[0], of="X, afterwards")
    same(y, given[1], of="y, afterwards")


@hint("All steps are right? Then look whether each batch's labels are those of its images.")
def test_it_learns_digits():
    X, y = digits("train", 9000)
    T, t = digits("t10k", 1000)
    theta = np.zeros((784, 10), dtype=np.float32)
    softmax_regression_epoch(X, y, theta, lr=0.2, batch=100)
    error = float(np.mean((T @ theta).argmax(1) != t))
    print(f"error on the test images: {error:.1%}")
    same(error < 0.2, True, of="whether fewer than 20 % of MiniMNIST's test images are wrong after an epoch")
