"""The softmax loss, with care."""

# ruff: noqa: N806  (matrices have the course's names)

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from apps import simple_ml
from hw.derivatives import random
from hw.testing import hint, same


@hint("The gradient stands large logits, too, and rows of very different size.")
@pytest.mark.parametrize("scale", [1.0, 50.0, 1000.0])
def test_value_and_gradient(scale):
    z, y = scale * random(7, 4), np.arange(7) % 4
    Y = np.eye(4)[y]
    Z = ndl.Tensor(z)
    loss = simple_ml.softmax_loss(Z, ndl.Tensor(Y, requires_grad=False))
    top = z.max(1, keepdims=True)
    e = np.exp(z - top)
    expected = np.mean(np.log(e.sum(1)) + top[:, 0] - z[range(7), y])
    same(loss, np.array(expected), of=f"the loss of logits of size {scale}", rtol=1e-9)
    loss.backward()
    same(Z.grad, (e / e.sum(1, keepdims=True) - Y) / 7, of=f"Z.grad for logits of size {scale}")
    same(Z, z, of="Z, afterwards")


@hint("float32 stays float32; one class, one row, and labels as float32 (as one_hot gives) are no special cases.")
@pytest.mark.parametrize(("n", "classes"), [(1, 1), (1, 10), (6, 2)])
def test_dtype(n, classes):
    z, y = random(n, classes, dtype="float32"), np.arange(n) % classes
    found = simple_ml.softmax_loss(ndl.Tensor(z), simple_ml.one_hot(y, classes))
    expected = np.mean(np.log(np.exp(z).sum(1)) - z[range(n), y], dtype="float32")
    same(found, np.array(expected), of="the loss", dtype="float32")


@hint("The second derivative is there as well: the loss is a graph all the way.")
def test_second_derivative():
    z, v = random(2, 3), random(2, 3, seed=1)
    Z = ndl.Tensor(z)
    simple_ml.softmax_loss(Z, ndl.Tensor(np.eye(3)[[0, 2]], requires_grad=False)).backward()
    (Z.grad * ndl.Tensor(v, requires_grad=False)).sum().backward()
    s = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    same(Z.grad, s * (v - (s * v).sum(1, keepdims=True)) / 2, of="the second derivative of the loss along v")
