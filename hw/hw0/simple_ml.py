"""Softmax regression and a network of two layers, by hand: reading MNIST, loss, gradients, training.

All of it is NumPy. Examples are rows: a batch of m images of n pixels is a matrix of shape (m, n), and what a model
says of them, a number for each of k classes, a matrix of shape (m, k).
"""

# ruff: noqa: N803, N806  (matrices have the course's names)

from __future__ import annotations

import gzip
import math
import struct
import zlib
from os import PathLike

import numpy as np

#: What gzip raises for a file that is not gzipped, one that is cut off, one that is damaged.
GZIP_ERRORS = (gzip.BadGzipFile, EOFError, zlib.error)


def read_idx(filename: str | PathLike[str]) -> np.ndarray:
    """Read a gzipped IDX file of unsigned bytes.

    Parameters
    ----------
    filename : path
        The file. Unpacked, it holds: two bytes 0; a byte 8, which stands for unsigned bytes; a byte d, the number of
        axes; d extents, each of them 4 bytes, the most significant first; and one byte for each element, in row-major
        order. Nothing comes behind these.

    Returns
    -------
    numpy.ndarray
        uint8, in the shape that the file says.

    Raises
    ------
    ValueError
        If the file is not gzipped, or its gzip stream is damaged or cut off; if it does not begin with 0, 0, 8; if it
        ends within its header; if it holds fewer or more elements than its header says.
    """
    try:
        with gzip.open(filename, "rb") as file:
            content = file.read()
    except GZIP_ERRORS as error:
        raise ValueError(f"{filename} is no whole gzip file: {error}") from error
    if content[:3] != b"\x00\x00\x08":
        raise ValueError(f"{filename} is no IDX file of unsigned bytes: it does not begin with 0, 0, 8")
    if len(content) < 4 or len(content) < 4 + 4 * content[3]:
        raise ValueError(f"{filename} ends within its header, after {len(content)} bytes")
    header = 4 + 4 * content[3]
    shape = struct.unpack(f">{content[3]}I", content[4:header])
    elements = content[header:]
    if len(elements) != math.prod(shape):
        raise ValueError(f"{filename} says that its shape is {shape}, but holds {len(elements)} elements")
    return np.frombuffer(elements, dtype=np.uint8).reshape(shape)


def parse_mnist(
    image_filename: str | PathLike[str], label_filename: str | PathLike[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Read images and their labels from two IDX files.

    Parameters
    ----------
    image_filename, label_filename : path
        Images, of three axes (number, rows, columns), and labels, of one axis.

    Returns
    -------
    X : numpy.ndarray
        Images as rows, float32, shape (number, rows * columns), pixels scaled from 0 .. 255 to [0, 1].
    y : numpy.ndarray
        Labels, uint8, shape (number,).

    Raises
    ------
    ValueError
        If one of the files cannot be read (see `read_idx`), if they have other numbers of axes, or if there are more
        images than labels, or fewer.
    """
    images, labels = read_idx(image_filename), read_idx(label_filename)
    if images.ndim != 3 or labels.ndim != 1:
        raise ValueError(f"{image_filename} has {images.ndim} axes, not 3, or {label_filename} {labels.ndim}, not 1")
    if len(images) != len(labels):
        raise ValueError(f"{image_filename} holds {len(images)} images, {label_filename} {len(labels)} labels")
    number, rows, columns = images.shape
    return images.reshape(number, rows * columns).astype(np.float32) / np.float32(255), labels


def softmax_loss(Z: np.ndarray, y: np.ndarray) -> np.floating:
    """Average the softmax (cross-entropy) loss over a batch: the mean over i of log(sum_j exp(Z_ij)) - Z_{i, y_i}.

    Parameters
    ----------
    Z : numpy.ndarray
        Logits, shape (m, k); of any size, also 1e5 or -1e5. They are not changed.
    y : numpy.ndarray
        Class indices, of any type of integers, shape (m,).

    Returns
    -------
    numpy.floating
        The loss, of the dtype of Z.
    """
    shifted = Z - Z.max(axis=1, keepdims=True)
    loss: np.floating = np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y])
    return loss


def loss_err(h: np.ndarray, y: np.ndarray) -> tuple[np.floating, np.floating]:
    """Measure how well logits fit the truth.

    Parameters
    ----------
    h : numpy.ndarray
        Logits, shape (m, k).
    y : numpy.ndarray
        Class indices, shape (m,).

    Returns
    -------
    loss : numpy.floating
        The softmax loss.
    error : numpy.floating
        The fraction of the rows whose largest logit is not at the true class.
    """
    return softmax_loss(h, y), np.mean(h.argmax(axis=1) != y)


def softmax_gradient(Z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Differentiate the softmax loss by the logits: (softmax(Z) - Y) / m, Y having a 1 in each row at the true class.

    Parameters
    ----------
    Z : numpy.ndarray
        Logits, shape (m, k); of any size, also 1e5 or -1e5. They are not changed.
    y : numpy.ndarray
        Class indices, shape (m,).

    Returns
    -------
    numpy.ndarray
        The derivative of ``softmax_loss(Z, y)`` by each element of Z, of the shape and the dtype of Z.
    """
    powers = np.exp(Z - Z.max(axis=1, keepdims=True))
    G: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    G[np.arange(len(y)), y] -= 1
    G /= len(y)
    return G


def softmax_regression_epoch(
    X: np.ndarray, y: np.ndarray, theta: np.ndarray, lr: float = 0.1, batch: int = 100
) -> None:
    """Train softmax regression, whose logits are ``X @ theta``, for one epoch of gradient descent.

    Batches are taken in the order of the data; the last one may be short. Each step is
    theta <- theta - lr * (gradient of the mean loss of the batch).

    Parameters
    ----------
    X : numpy.ndarray
        Examples, shape (m, n).
    y : numpy.ndarray
        Class indices, shape (m,).
    theta : numpy.ndarray
        Weights, shape (n, k). They are changed in place.
    lr : float
        Step size.
    batch : int
        Examples in a batch.
    """
    for start in range(0, len(X), batch):
        x, truth = X[start : start + batch], y[start : start + batch]
        theta -= lr * (x.T @ softmax_gradient(x @ theta, truth))


def nn_gradients(X: np.ndarray, y: np.ndarray, W1: np.ndarray, W2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differentiate the softmax loss of the network ``relu(X @ W1) @ W2`` by its weights.

    relu(a) is max(a, 0), element by element; its derivative at 0 is taken as 0.

    Parameters
    ----------
    X : numpy.ndarray
        Examples, shape (m, n).
    y : numpy.ndarray
        Class indices, shape (m,).
    W1, W2 : numpy.ndarray
        Weights, shapes (n, d) and (d, k). They are not changed.

    Returns
    -------
    tuple of numpy.ndarray
        The gradients by W1 and by W2, of their shapes and dtypes.
    """
    hidden = np.maximum(X @ W1, 0)
    G2 = softmax_gradient(hidden @ W2, y)
    G1 = (G2 @ W2.T) * (hidden > 0)
    return X.T @ G1, hidden.T @ G2


def nn_epoch(X: np.ndarray, y: np.ndarray, W1: np.ndarray, W2: np.ndarray, lr: float = 0.1, batch: int = 100) -> None:
    """Train the network ``relu(X @ W1) @ W2`` for one epoch of gradient descent.

    Batches are taken in the order of the data; the last one may be short. In each step both gradients are taken at the
    weights as they were before the step.

    Parameters
    ----------
    X : numpy.ndarray
        Examples, shape (m, n).
    y : numpy.ndarray
        Class indices, shape (m,).
    W1, W2 : numpy.ndarray
        Weights, shapes (n, d) and (d, k). They are changed in place.
    lr : float
        Step size.
    batch : int
        Examples in a batch.
    """
    for start in range(0, len(X), batch):
        rows = slice(start, start + batch)
        gradient1, gradient2 = nn_gradients(X[rows], y[rows], W1, W2)
        W1 -= lr * gradient1
        W2 -= lr * gradient2
