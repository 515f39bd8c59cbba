"""The softmax loss."""

# ruff: noqa: N806

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw0.simple_ml import softmax_loss
from hw.hw0.tests.checks import labels, surprise
from hw.testing import hint, same


@hint("If all k logits are equal, every class has probability 1/k, and the loss is log k.")
@pytest.mark.parametrize("k", [2, 10])
def test_equal_logits(k):
    Z = np.zeros((1, k))
    same(softmax_loss(Z, np.array([1])), np.log(k), of=f"the loss of one row of {k} zeros", given={"Z": Z})


@hint("log(sum_j exp(Z_ij)) - Z_{i, y_i}, averaged over the rows.")
@pytest.mark.parametrize("shape", [(1, 2), (1, 3), (2, 3), (6, 4)])
def test_loss(shape):
    Z, y = random(*shape), labels(*shape)
    expected = surprise(Z, y)
    mistakes = {
        "the rows are added up, not averaged": expected * len(Z),
        "the sign is wrong": -expected,
        "the mean is taken over all elements": expected / shape[1],
        "the logarithm is missing": np.mean(np.exp([surprise(Z[i : i + 1], y[i : i + 1]) for i in range(len(Z))])),
    }
    same(softmax_loss(Z, y), expected, of="the loss", given={"Z": Z, "y": y}, mistakes=mistakes)


@hint("Subtract from each row its largest element first: then no power is above 1, and one is 1.")
@pytest.mark.parametrize("size", [100.0, 1000.0, 1e5])
def test_large_logits(size):
    Z = np.array([[size, 0.0, -size], [-size, -2 * size, -size]])
    for y, expected in (
        ([0, 0], np.log(2) / 2),
        ([1, 2], (size + np.log(2)) / 2),
        ([2, 1], 1.5 * size + np.log(2) / 2),
    ):
        same(softmax_loss(Z, np.array(y)), expected, of="the loss", given={"Z": Z, "y": np.array(y)}, rtol=1e-6)


@hint("Z - Z.max(...) is a new array, Z -= Z.max(...) is not.")
def test_inputs_stay_what_they_are():
    Z, y = random(3, 4), labels(3, 4)
    given = Z.copy(), y.copy()
    softmax_loss(Z, y)
    same(Z, given[0], of="Z, afterwards")
    same(y, given[1], of="y, afterwards")
