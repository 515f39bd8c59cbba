"""The softmax loss."""

# ruff: noqa: N803, N806  (matrices have the course's names)

from __future__ import annotations

import math

import numpy as np
import pytest

import needle as ndl
from apps import simple_ml
from hw.derivatives import random
from hw.testing import hint, same


def one_hot(y, classes):
    return (np.array(y)[:, None] == np.arange(classes)) * 1.0


@hint("The mean over the rows of log(sum(exp(Z[i]))) - Z[i, y_i]; it is a scalar, of shape ().")
@pytest.mark.parametrize(
    ("Z", "y"), [([[0.0, 0.0]], [0]), ([[1.0, 2.0, 3.0]], [0]), ([[1.0, 2.0, 3.0], [0.0, -1.0, 2.0]], [2, 0])]
)
def test_value(Z, y):
    rows = [math.log(sum(math.exp(z) for z in row)) - row[label] for row, label in zip(Z, y)]
    expected = np.array(sum(rows) / len(rows))
    Z, Y = np.array(Z), one_hot(y, len(Z[0]))
    true_logits = float((Z * Y).sum())
    mistakes = {
        "the loss is the sum over the batch, not the mean": sum(rows),
        "it is divided by the number of elements, not by that of rows": sum(rows) / Z.size,
        "the sign is wrong": -expected,
        "this is one loss for each row": np.array(rows),
        "the logit of the true class is missing": (sum(rows) + true_logits) / len(rows),
        "the logit of the true class is added": (sum(rows) + 2 * true_logits) / len(rows),
    }
    found = simple_ml.softmax_loss(ndl.Tensor(Z), ndl.Tensor(Y))
    same(found, expected, of="softmax_loss(Z, y_one_hot)", given={"Z": Z, "y_one_hot": Y}, mistakes=mistakes)


@hint("Use ndl.logsumexp, which stands large numbers; log(exp(Z).sum()) does not.")
@pytest.mark.parametrize(
    ("Z", "y", "expected"),
    [
        ([[1000.0, 1000.0]], [1], math.log(2)),
        ([[1000.0, 0.0]], [1], 1000.0),
        ([[-1000.0, 0.0], [0.0, -1000.0]], [0, 0], 500.0),
    ],
)
def test_large_logits(Z, y, expected):
    Z, Y = np.array(Z), one_hot(y, 2)
    with np.errstate(all="ignore"):
        found = simple_ml.softmax_loss(ndl.Tensor(Z), ndl.Tensor(Y))
    mistakes = {"the exponentials overflow or vanish": np.nan, "the exponentials overflow": np.inf}
    given = {"Z": Z, "y_one_hot": Y}
    same(found, np.array(expected), of="softmax_loss(Z, y_one_hot)", given=given, mistakes=mistakes)


@hint("The loss is made of Z by operators, so backward() finds the way: (softmax(Z) - y_one_hot) / n.")
@pytest.mark.parametrize("n", [1, 2, 5])
def test_gradient(n):
    z, Y = random(n, 3), one_hot(np.arange(n) % 3, 3)
    Z = ndl.Tensor(z)
    simple_ml.softmax_loss(Z, ndl.Tensor(Y, requires_grad=False)).backward()
    softmax = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    mistakes = {"the mean over the batch is missing": softmax - Y, "the true class is missing": softmax / n}
    same(Z.grad, (softmax - Y) / n, of="Z.grad", given={"Z": z, "y_one_hot": Y}, mistakes=mistakes)
