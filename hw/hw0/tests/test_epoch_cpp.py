"""An epoch of softmax regression in C++."""

# ruff: noqa: N806

from __future__ import annotations

import numpy as np
import pytest

from hw.hw0 import simple_ml_cpp
from hw.hw0.tests.checks import descended, framed, mistakes, problem, regression
from hw.testing import hint, same


def compare(m, n, k, lr, batch):
    """Run an epoch on examples that are followed by NaN, with weights between sevens."""
    X, y, theta = problem(m, n, k)
    (expected,) = descended(regression, X, y, [theta], lr, batch)
    x, (found, whole) = framed(X, np.nan)[0], framed(theta, 7.0)
    simple_ml_cpp.softmax_regression_epoch_cpp(x, y, found, lr, batch)
    plausible = mistakes(regression, X, y, [theta], lr, batch)
    given = {"X": X, "y": y, "theta": theta, "lr": lr, "batch": batch}
    same(found, expected, of="theta after an epoch", given=given, mistakes=plausible, atol=2e-5)
    same(whole[:4], np.full_like(whole[:4], 7.0), of="what is in memory before theta, afterwards")
    same(whole[-4:], np.full_like(whole[-4:], 7.0), of="what is in memory behind theta, afterwards")


@hint("One batch: Z = X theta, softmax of its rows, 1 less at the true class, and theta -= lr / m * X^T Z.")
@pytest.mark.parametrize(("m", "n", "k", "lr"), [(1, 1, 2, 0.5), (2, 3, 2, 0.5), (3, 2, 4, 2.0)])
def test_one_batch(m, n, k, lr):
    compare(m, n, k, lr, m)


@hint("Batch after batch: its examples begin at X + start * n, its labels at y + start.")
@pytest.mark.parametrize(("m", "batch"), [(2, 1), (4, 2), (9, 3)])
def test_several_batches(m, batch):
    compare(m, 4, 3, 0.5, batch)


@hint("The last batch has m - start rows if that is less than batch; divide by the rows that it has.")
@pytest.mark.parametrize(("m", "batch"), [(3, 2), (7, 3), (3, 100)])
def test_a_short_batch(m, batch):
    compare(m, 4, 3, 0.5, batch)


@hint("X and y are const.")
def test_inputs_stay_what_they_are():
    X, y, theta = problem(5, dtype="float32")
    given = X.copy(), y.copy()
    simple_ml_cpp.softmax_regression_epoch_cpp(X, y, theta, lr=0.5, batch=2)
    same(X, given[0], of="X, afterwards")
    same(y, given[1], of="y, afterwards")
