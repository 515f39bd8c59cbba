"""Loss and error, with care."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw0.simple_ml import loss_err
from hw.hw0.tests.checks import labels, surprise
from hw.testing import hint, same


@hint("Count row by row: which column holds the largest element?")
@pytest.mark.parametrize("shape", [(1, 5), (12, 2), (7, 7), (40, 10)])
def test_other_shapes(shape):
    h, y = random(*shape, seed=3), labels(*shape)
    wrong = sum(row.index(max(row)) != truth for row, truth in zip(h.tolist(), y.tolist()))
    loss, error = loss_err(h, y)
    same(loss, surprise(h, y), of="the loss")
    same(float(error), wrong / shape[0], of="the error")


@hint("All negative logits have a largest one, too.")
@pytest.mark.parametrize("size", [-1000.0, 1000.0])
def test_large_logits(size):
    h = np.array([[size, size + 1, size - 1], [size, size, size + 2]], dtype="float32")
    loss, error = loss_err(h, np.array([1, 0], dtype="uint8"))
    same(float(error), 0.5, of="the error")
    same(loss, surprise(h, [1, 0]), of="the loss")


@hint("It only looks: h and y stay what they are.")
def test_inputs_stay_what_they_are():
    h, y = random(4, 3), labels(4, 3)
    before = h.copy(), y.copy()
    loss_err(h, y)
    same([h, y], list(before), of="h and y, afterwards")
