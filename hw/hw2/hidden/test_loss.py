"""SoftmaxLoss, with care."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import constant
from hw.hw2.tests.test_loss import rows_of
from hw.testing import hint, raises, same
from needle import nn


@hint("Labels may be integers of any size, or floats that hold whole numbers.")
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32"])
def test_labels(dtype):
    z, y = random(5, 3), np.array([0, 2, 1, 2, 0], dtype)
    found = nn.SoftmaxLoss()(constant(z), constant(y))
    same(found, rows_of(z, y.astype(int)).mean(), of=f"the loss, labels as {dtype}")


@hint("float32 logits give a float32 loss: the rows of one_hot take a dtype.")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(dtype):
    z, y = random(3, 4, dtype=dtype), np.array([0, 3, 1])
    same(nn.SoftmaxLoss()(constant(z), constant(y)), np.asarray(rows_of(z, y).mean()), of="the loss", dtype=dtype)


@hint("A label that is no class is an IndexError, -1 and classes as well.")
@pytest.mark.parametrize("label", [3, -1])
def test_no_such_class(label):
    with raises(IndexError, of=f"the loss of 3 classes with the label {label}"):
        nn.SoftmaxLoss()(constant(random(2, 3)), constant(np.array([0, label])))
