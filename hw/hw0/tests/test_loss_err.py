"""Loss and error."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw0.simple_ml import loss_err
from hw.hw0.tests.checks import surprise
from hw.testing import hint, same


@hint("The prediction is the class with the largest logit in the row; the error is the fraction that is not y.")
@pytest.mark.parametrize(
    ("y", "error"), [([2, 0], 0.0), ([2, 1], 0.5), ([1, 0], 0.5), ([0, 2], 1.0)], ids=["none", "one", "other", "both"]
)
def test_error(y, error):
    h = np.array([[0.1, -0.3, 0.2], [3.0, 1.0, 2.0]])
    mistakes = {
        "it is the fraction that is right": 1 - error,
        "it is a number of rows, not a fraction": 2 * error,
        "it is in percent": 100 * error,
    }
    if error == 0.5:
        del mistakes["it is the fraction that is right"]
    if error == 0:
        mistakes = {"it is the fraction that is right": 1.0}
    given = {"h": h, "y": np.array(y)}
    same(float(loss_err(h, np.array(y))[1]), error, of="the error", given=given, mistakes=mistakes)


@hint("The first of the two results is softmax_loss(h, y).")
@pytest.mark.parametrize("shape", [(1, 2), (4, 3)])
def test_loss(shape):
    h, y = random(*shape), np.arange(shape[0]) % shape[1]
    same(loss_err(h, y)[0], surprise(h, y), of="the loss", given={"h": h, "y": y})


@hint("Rows are examples: look along axis 1.")
def test_more_rows_than_classes():
    h = np.array([[0.0, 1.0], [0.0, 1.0], [5.0, 4.0], [1.0, 2.0], [2.0, 1.0]])
    y = np.array([1, 0, 0, 1, 1], dtype=np.uint8)
    same(float(loss_err(h, y)[1]), 0.4, of="the error", given={"h": h, "y": y})
