"""simple_ml: every function against NumPy written out by hand."""

# ruff: noqa: N803, N806

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

import needle as ndl
import simple_ml
from needle.data import MiniMNIST


def one_hot(y: np.ndarray, classes: int) -> np.ndarray:
    return (y[:, None] == np.arange(classes)).astype(np.float32)


def numpy_epoch(X, y, W1, W2, lr, batch):
    """The same epoch with the gradients of the two-layer network written out, in float64."""
    W1, W2 = W1.astype(np.float64), W2.astype(np.float64)
    for start in range(0, len(X), batch):
        x, truth = X[start : start + batch], one_hot(y[start : start + batch], W2.shape[1])
        hidden = np.maximum(x @ W1, 0)
        out_grad = (softmax(hidden @ W2, axis=1) - truth) / len(x)
        hidden_grad = (out_grad @ W2.T) * (hidden > 0)
        W1, W2 = W1 - lr * x.T @ hidden_grad, W2 - lr * hidden.T @ out_grad
    return W1, W2


def test_parse_mnist_gives_rows_in_0_1_and_labels(small_mnist: Path) -> None:
    X, y = simple_ml.parse_mnist(
        str(small_mnist / "train-images-idx3-ubyte.gz"), str(small_mnist / "train-labels-idx1-ubyte.gz")
    )
    train = MiniMNIST()
    assert (X.shape, X.dtype, y.dtype) == ((430, 784), np.float32, np.uint8)
    np.testing.assert_array_equal(X, train.images[:430].reshape(430, 784) / np.float32(255))
    np.testing.assert_array_equal(y, train.labels[:430])
    assert (X.min(), X.max()) == (0, 1)


def test_parse_mnist_refuses_labels_of_other_images(small_mnist: Path) -> None:
    with pytest.raises(ValueError, match="holds 200 labels"):
        simple_ml.parse_mnist(small_mnist / "train-images-idx3-ubyte.gz", small_mnist / "t10k-labels-idx1-ubyte.gz")


@pytest.mark.parametrize("scale", [1, 1000])
def test_softmax_loss_and_its_gradient_agree_with_scipy(scale: float) -> None:
    random = np.random.RandomState(0)
    logits, y = scale * random.randn(7, 4).astype(np.float32), random.randint(4, size=7)
    Z = ndl.Tensor(logits)
    loss = simple_ml.softmax_loss(Z, ndl.Tensor(one_hot(y, 4)))
    assert loss.shape == ()
    np.testing.assert_allclose(loss.numpy(), -log_softmax(logits, axis=1)[range(7), y].mean(), rtol=1e-5)
    loss.backward()
    np.testing.assert_allclose(Z.grad.numpy(), (softmax(logits, axis=1) - one_hot(y, 4)) / 7, atol=1e-6)


@pytest.mark.parametrize("batch", [10, 32, 100])
def test_nn_epoch_is_gradient_descent_in_the_order_of_the_data(batch: int) -> None:
    random = np.random.RandomState(1)
    X, y = random.rand(70, 6).astype(np.float32), random.randint(3, size=70).astype(np.uint8)
    W1, W2 = (random.randn(*shape).astype(np.float32) for shape in ((6, 5), (5, 3)))
    T1, T2 = ndl.Tensor(W1), ndl.Tensor(W2)
    new = simple_ml.nn_epoch(X, y, T1, T2, lr=0.2, batch=batch)
    for tensor, expected in zip(new, numpy_epoch(X, y, W1, W2, 0.2, batch)):
        assert isinstance(tensor, ndl.Tensor)
        assert tensor.is_leaf()
        assert tensor.dtype == "float32"
        np.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(T1.numpy(), W1)
    np.testing.assert_array_equal(T2.numpy(), W2)


def test_loss_err_gives_loss_and_fraction_of_errors() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 0.5], [0.0, 4.0]], np.float32)
    loss, error = simple_ml.loss_err(ndl.Tensor(logits), np.array([0, 0, 0, 1], np.uint8))
    np.testing.assert_allclose(loss, -log_softmax(logits, axis=1)[range(4), [0, 0, 0, 1]].mean(), rtol=1e-6)
    assert error == 0.25


PROGRAM = """
import sys
sys.path.append(sys.argv[1])
import needle as ndl, numpy as np, simple_ml
folder = sys.argv[2]
X, y = simple_ml.parse_mnist(folder + "/train-images-idx3-ubyte.gz", folder + "/train-labels-idx1-ubyte.gz")
random = np.random.RandomState(0)
W1, W2 = (ndl.Tensor(random.randn(*shape).astype(np.float32) * 0.1) for shape in ((784, 20), (20, 10)))
for _ in range(5):
    W1, W2 = simple_ml.nn_epoch(X, y, W1, W2, lr=0.3, batch=50)
loss, error = simple_ml.loss_err(ndl.relu(ndl.Tensor(X) @ W1) @ W2, y)
print(ndl.backend_selection.BACKEND, float(loss), float(error))
"""


def test_both_array_libraries_learn_the_same(small_mnist: Path) -> None:
    results = {}
    for backend in ("nd", "np"):
        environment = {**os.environ, "NEEDLE_BACKEND": backend, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", PROGRAM, str(Path(simple_ml.__file__).parent), str(small_mnist)]
        output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
        assert output[0] == backend
        results[backend] = [float(x) for x in output[1:]]
    np.testing.assert_allclose(results["nd"], results["np"], rtol=1e-3)
    assert results["nd"][1] < 0.3
