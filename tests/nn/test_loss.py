"""The softmax loss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import needle as ndl
from needle import nn
from tests.nn.checks import check_gradients, tensor

RNG = np.random.RandomState(1)


def labels(y, device=None, dtype="int64"):
    return ndl.Tensor(np.asarray(y), device=device, dtype=dtype, requires_grad=False)


def reference(z, y):
    y = np.asarray(y, dtype=int)
    return np.mean(special.logsumexp(z, axis=1) - z[np.arange(len(y)), y])


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "float32", "float64"])
def test_the_loss_is_the_mean_of_logsumexp_minus_the_true_logit(dtype, device, mode):
    z, y = RNG.randn(6, 4) * 3, [0, 3, 1, 1, 2, 0]
    loss = nn.SoftmaxLoss()(tensor(z, device), labels(y, device, dtype))
    assert loss.shape == () and loss.dtype == "float64"
    np.testing.assert_allclose(loss.numpy(), reference(z, y), rtol=1e-13)


def test_equal_logits_cost_the_log_of_the_number_of_classes():
    loss = nn.SoftmaxLoss()(ndl.Tensor(np.zeros((5, 10)), dtype="float32"), labels([0, 1, 2, 3, 9]))
    assert loss.dtype == "float32"
    np.testing.assert_allclose(loss.numpy(), np.log(10), rtol=1e-6)


def test_huge_logits_do_not_overflow(device, mode):
    z, y = np.array([[1e4, 0, -1e4], [-1e4, 0, 1e4]]), [0, 0]
    logits = tensor(z, device)
    loss = nn.SoftmaxLoss()(logits, labels(y, device))
    loss.backward()
    assert loss.numpy() == reference(z, y) == 1e4
    np.testing.assert_array_equal(logits.grad.numpy(), [[0, 0, 0], [-0.5, 0, 0.5]])


def test_the_gradient_is_softmax_minus_one_hot_over_the_batch(device, mode):
    z, y = RNG.randn(6, 4), [0, 3, 1, 1, 2, 0]
    logits = tensor(z, device)
    nn.SoftmaxLoss()(logits, labels(y, device)).backward()
    np.testing.assert_allclose(logits.grad.numpy(), (special.softmax(z, axis=1) - np.eye(4)[y]) / 6, atol=1e-15)
    check_gradients(lambda: nn.SoftmaxLoss()(logits, labels(y, device)), logits)


@pytest.mark.parametrize("wrong", [4, -1, 0.5])
def test_a_label_that_is_no_class_is_named(wrong, mode):
    with pytest.raises(IndexError, match=rf"SoftmaxLoss: .* index {wrong}.* \(at position 2\) .* 4 classes"):
        nn.SoftmaxLoss()(tensor(np.zeros((3, 4))), labels([0, 1, wrong], dtype="float64" if wrong == 0.5 else "int64"))


@pytest.mark.parametrize(("z", "y"), [((3, 4), (2,)), ((3, 4), (3, 1)), ((4,), (4,)), ((3, 4, 5), (3,))])
def test_shapes_that_do_not_fit_are_named(z, y, mode):
    with pytest.raises(ValueError, match=r"SoftmaxLoss: logits must have shape \(batch, classes\) .* got logits of"):
        nn.SoftmaxLoss()(tensor(np.zeros(z)), labels(np.zeros(y)))
