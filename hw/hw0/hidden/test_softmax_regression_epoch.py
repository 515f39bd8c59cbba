"""An epoch of softmax regression, with care."""

# ruff: noqa: N806

from __future__ import annotations

import numpy as np
import pytest

from hw.hw0.simple_ml import softmax_regression_epoch
from hw.hw0.tests.checks import descended, problem, regression
from hw.testing import hint, same


@hint("Other sizes, several epochs; the batch may be larger than the data.")
@pytest.mark.parametrize(("m", "n", "k", "batch"), [(10, 3, 5, 4), (13, 5, 2, 1), (8, 2, 3, 50)])
def test_other_sizes(m, n, k, batch):
    X, y, theta = problem(m, n, k)
    expected = theta.copy()
    for _ in range(2):
        (expected,) = descended(regression, X, y, [expected], 0.4, batch)
        softmax_regression_epoch(X, y, theta, lr=0.4, batch=batch)
    same(theta, expected, of="theta after two epochs")


@hint("lr = 0.1 and batch = 100, if nothing else is said.")
def test_defaults():
    X, y, theta = problem(101)
    (expected,) = descended(regression, X, y, [theta], 0.1, 100)
    softmax_regression_epoch(X, y, theta)
    same(theta, expected, of="theta after an epoch of 101 examples", rtol=1e-6, atol=1e-7)


@hint("theta is float32, and stays so; X and y may be read-only.")
def test_dtype():
    X, y, theta = problem(9, dtype="float32")
    (expected,) = descended(regression, X, y, [theta], 0.5, 4)
    X.flags.writeable = y.flags.writeable = False
    softmax_regression_epoch(X, y, theta, lr=0.5, batch=4)
    same(theta, expected, of="theta after an epoch", dtype="float32")


@hint("theta may be a part of a larger array: all other numbers in there are somebody else's.")
def test_theta_is_a_view():
    X, y, theta = problem(6)
    whole = np.full((4, 9), 7.0)
    view = whole[:, 2:8:2]
    view[...] = theta
    (changed,) = descended(regression, X, y, [theta], 0.3, 4)
    expected = np.full((4, 9), 7.0)
    expected[:, 2:8:2] = changed
    softmax_regression_epoch(X, y, view, lr=0.3, batch=4)
    same(whole, expected, of="the array that theta is a part of")
