"""The course's first training loop: a network of two layers, trained on MNIST with nothing but Tensors.

No modules, no optimizer, no data loader: the forward pass, the loss and the update are written out.
"""

# ruff: noqa: N803, N806  (matrices have the course's names)

from __future__ import annotations

from os import PathLike

import numpy as np

import needle as ndl
from needle.data import idx


def parse_mnist(
    image_filename: str | PathLike[str], label_filename: str | PathLike[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Read images and labels in MNIST's format, gzipped or not.

    Parameters
    ----------
    image_filename, label_filename : path
        The two IDX files.

    Returns
    -------
    X : numpy.ndarray
        Images as rows, float32, shape (n, 784), pixels scaled to [0, 1].
    y : numpy.ndarray
        Labels, uint8, shape (n,).

    Raises
    ------
    ValueError
        If a file is damaged or of another kind, or if the labels do not match the images.
    """
    images, labels = idx.read_pair(image_filename, label_filename)
    return np.divide(images.reshape(len(images), -1), np.float32(255), dtype=np.float32), labels


def softmax_loss(Z: ndl.Tensor, y_one_hot: ndl.Tensor) -> ndl.Tensor:
    """Average the softmax (cross-entropy) loss over a batch: mean over i of log(sum_j exp(Z_ij)) - sum_j Z_ij y_ij.

    Parameters
    ----------
    Z : Tensor
        Logits, shape (n, classes).
    y_one_hot : Tensor
        Labels as rows with a 1 at the true class, shape (n, classes).

    Returns
    -------
    Tensor
        The loss, shape ().
    """
    return (ndl.logsumexp(Z, axes=(1,)) - (Z * y_one_hot).sum((1,))).sum() / Z.shape[0]


def nn_epoch(
    X: np.ndarray,
    y: np.ndarray,
    W1: ndl.Tensor,
    W2: ndl.Tensor,
    lr: float = 0.1,
    batch: int = 100,
) -> tuple[ndl.Tensor, ndl.Tensor]:
    """Train ``relu(X W1) W2`` for one epoch of plain gradient descent, on batches in the order of the data.

    Parameters
    ----------
    X : numpy.ndarray
        Inputs, shape (n, features).
    y : numpy.ndarray
        Class indices, shape (n,).
    W1, W2 : Tensor
        Weights, shapes (features, hidden) and (hidden, classes). They are not changed.
    lr : float
        Step size.
    batch : int
        Samples in a batch; the last one may be short.

    Returns
    -------
    tuple of Tensor
        The new W1 and W2.
    """
    W1, W2 = ndl.Tensor(W1.numpy(), dtype=W1.dtype), ndl.Tensor(W2.numpy(), dtype=W2.dtype)
    for start in range(0, len(X), batch):
        inputs = ndl.Tensor(X[start : start + batch], requires_grad=False)
        logits = ndl.relu(inputs @ W1) @ W2
        loss = softmax_loss(logits, one_hot(y[start : start + batch], W2.shape[1]))
        loss.backward()
        W1 = ndl.Tensor(W1.data - lr * W1.grad.data)
        W2 = ndl.Tensor(W2.data - lr * W2.grad.data)
    return W1, W2


def loss_err(h: ndl.Tensor, y: np.ndarray) -> tuple[np.ndarray, np.floating]:
    """Measure logits against class indices.

    Parameters
    ----------
    h : Tensor
        Logits, shape (n, classes).
    y : numpy.ndarray
        Class indices, shape (n,).

    Returns
    -------
    loss : numpy.ndarray
        The softmax loss, shape ().
    error : numpy.floating
        The fraction of samples whose largest logit is not at the true class.
    """
    loss = softmax_loss(h, one_hot(y, h.shape[1])).numpy()
    return loss, np.mean(h.numpy().argmax(axis=1) != y)


def one_hot(y: np.ndarray, classes: int) -> ndl.Tensor:
    """Turn class indices into rows with a 1 at the true class, float32, shape (n, classes)."""
    return ndl.Tensor(np.eye(classes, dtype=np.float32)[y], requires_grad=False)
