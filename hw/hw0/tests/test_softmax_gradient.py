"""The gradient of the softmax loss by the logits."""

# ruff: noqa: N806

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import numerical, random
from hw.hw0.simple_ml import softmax_gradient
from hw.hw0.tests.checks import labels, surprise
from hw.testing import hint, same


@hint("One row of two zeros: both probabilities are 1/2. The true class gets 1/2 - 1, the other 1/2.")
@pytest.mark.parametrize("y", [0, 1])
def test_one_row_of_zeros(y):
    expected = np.array([[0.5, 0.5]])
    expected[0, y] = -0.5
    Z = np.zeros((1, 2))
    mistakes = {"1 is not subtracted at the true class": expected * 0 + 0.5, "the sign is wrong": -expected}
    same(softmax_gradient(Z, np.array([y])), expected, of="the gradient", given={"Z": Z, "y": [y]}, mistakes=mistakes)


@hint("(softmax(Z) - Y) / m: along each row, and divided by the number of rows, as the loss is their mean.")
@pytest.mark.parametrize("shape", [(1, 3), (2, 2), (2, 3), (5, 4)])
def test_gradient(shape):
    Z, y = random(*shape), labels(*shape)
    (expected,) = numerical(lambda z: surprise(z, y), 1.0, Z)
    truth = np.eye(shape[1])[y]
    mistakes = {
        "the gradient is not divided by the number of rows": expected * len(Z),
        "1 is not subtracted at the true class": expected + truth / len(Z),
        "the sign is wrong": -expected,
        "what was subtracted is 1 / m": expected + truth / len(Z) - truth / len(Z) / len(Z),
        "1 is subtracted in whole columns": expected + truth / len(Z) - np.isin(np.arange(shape[1]), y) / len(Z),
    }
    if len(Z) == 1:
        mistakes = dict(list(mistakes.items())[1:3])
    same(softmax_gradient(Z, y), expected, of="the gradient", given={"Z": Z, "y": y}, mistakes=mistakes)


@hint("Probabilities of a row are 1 together, so the gradient's rows are 0 together.")
@pytest.mark.parametrize("shape", [(3, 2), (4, 10)])
def test_rows_sum_to_zero(shape):
    found = softmax_gradient(random(*shape, low=-5, high=5), labels(*shape))
    same(np.sum(found, axis=1), np.zeros(shape[0]), of="the sums of the gradient's rows")


@hint("Subtract from each row its largest element before exp.")
@pytest.mark.parametrize("size", [100.0, 1000.0, 1e5])
def test_large_logits(size):
    Z = np.array([[size, 0.0], [-size, -size], [0.0, -size]])
    expected = np.array([[1, -1], [-0.5, 0.5], [0, 0]]) / 3
    same(softmax_gradient(Z, np.array([1, 0, 0])), expected, of="the gradient", given={"Z": Z, "y": [1, 0, 0]})


@hint("Change only arrays that you have made.")
def test_inputs_stay_what_they_are():
    Z, y = random(3, 4), labels(3, 4)
    given = Z.copy(), y.copy()
    softmax_gradient(Z, y)
    same(Z, given[0], of="Z, afterwards")
    same(y, given[1], of="y, afterwards")
