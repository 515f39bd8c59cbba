"""SoftmaxLoss."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import constant, gradients
from hw.testing import hint, raises, same
from needle import nn


def rows_of(logits, y):
    return np.array([math.log(sum(map(math.exp, row))) - row[label] for row, label in zip(logits.tolist(), y)])


@hint("The mean over the rows of log(sum(exp(z_i))) - z_i[y_i]; the result is a scalar, of shape ().")
@pytest.mark.parametrize(("shape", "y"), [((1, 2), [0]), ((2, 3), [2, 0]), ((4, 3), [0, 1, 2, 1]), ((3, 3), [2, 2, 2])])
def test_value(shape, y):
    z = random(*shape)
    rows = rows_of(z, y)
    mistakes = {
        "it is the sum over the batch, not the mean": rows.sum() if len(y) > 1 else None,
        "it is divided by the number of logits": rows.sum() / z.size,
        "this is one loss for each row": rows,
        "the sign is wrong": -rows.mean(),
    }
    given = {"logits": z, "y": np.array(y)}
    same(
        nn.SoftmaxLoss()(constant(z), constant(np.array(y))), rows.mean(), of="the loss", given=given, mistakes=mistakes
    )


@hint("Large logits: logsumexp stands them, log(exp(z).sum()) does not.")
@pytest.mark.parametrize(
    ("z", "y", "expected"), [([[1000.0, 0.0]], [1], 1000.0), ([[-1000.0, -1000.0]], [0], math.log(2))]
)
def test_large_logits(z, y, expected):
    with np.errstate(all="ignore"):
        found = nn.SoftmaxLoss()(constant(np.array(z)), constant(np.array(y)))
    given = {"logits": np.array(z), "y": np.array(y)}
    mistakes = {"the exponentials overflow": np.inf, "the exponentials overflow or vanish": np.nan}
    same(found, expected, of="the loss", given=given, mistakes=mistakes)


@hint("(softmax(z) - one_hot(y)) / n.")
@pytest.mark.parametrize("n", [1, 3])
def test_gradient(n):
    z, y = random(n, 4), np.arange(n) % 4
    Z = nn.Parameter(z)  # noqa: N806
    (found,) = gradients(nn.SoftmaxLoss()(Z, constant(y)), np.array(1.0), [Z])
    softmax = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    expected = (softmax - np.eye(4)[y]) / n
    same(
        found,
        expected,
        of="the gradient of the logits",
        given={"logits": z, "y": y},
        mistakes={"n is missing": n * expected},
    )


@hint("The docstring says which errors: look at both shapes before anything is computed.")
@pytest.mark.parametrize(("logits", "y"), [((2, 3), (3,)), ((2, 3), (2, 1)), ((3,), (3,))])
def test_shapes(logits, y):
    with raises(ValueError, of=f"the loss of logits of shape {logits} and labels of shape {y}"):
        nn.SoftmaxLoss()(constant(random(*logits)), constant(np.zeros(y, int)))
