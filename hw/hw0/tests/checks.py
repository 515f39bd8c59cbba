"""What the tests share: IDX files, losses that can be differentiated by trying, arrays with something around them."""

# ruff: noqa: N803, N806  (matrices have the course's names)

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hw.derivatives import numerical, random

#: Data that come with the assignment.
MINI_MNIST = Path(__file__).parents[3] / "python" / "needle" / "data" / "mini_mnist"
KINDS = ("images-idx3", "labels-idx1")


def idx(shape: Sequence[int], elements: bytes, kind: int = 8) -> bytes:
    """What an IDX file holds before it is gzipped."""
    extents = b"".join(extent.to_bytes(4, "big") for extent in shape)
    return bytes([0, 0, kind, len(shape)]) + extents + elements


def gzipped(path: Path, content: bytes) -> Path:
    """Write a gzipped file."""
    path.write_bytes(gzip.compress(content, mtime=0))
    return path


def digits(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first images of MiniMNIST, whose headers have 16 bytes, and their labels, whose header has 8."""
    contents = [gzip.decompress((MINI_MNIST / f"{name}-{kind}-ubyte.gz").read_bytes()) for kind in KINDS]
    pixels, labels = (np.asarray(memoryview(each)[8 * number :]) for number, each in zip((2, 1), contents))
    return (pixels[: 784 * count].reshape(count, 784) / 255).astype(np.float32), labels[:count]


def surprise(Z: Any, y: Any) -> float:
    """The mean of -log(probability of the true class), number by number."""
    losses = []
    for row, truth in zip(np.asarray(Z, dtype=np.float64).tolist(), y):
        largest = max(row)
        losses.append(largest - row[truth] + math.log(math.fsum(math.exp(z - largest) for z in row)))
    return math.fsum(losses) / len(losses)


def regression(X: Any, y: Any, theta: Any) -> float:
    """The loss of softmax regression."""
    return surprise(X @ theta, y)


def network(X: Any, y: Any, W1: Any, W2: Any) -> float:
    """The loss of a network of two layers."""
    return surprise(np.where(X @ W1 > 0, X @ W1, 0) @ W2, y)


def slopes(loss: Callable[..., float], X: Any, y: Any, *weights: Any) -> list[np.ndarray]:
    """The derivatives of a loss by the weights: central differences in float64."""
    return numerical(lambda *each: loss(np.asarray(X, dtype=np.float64), y, *each), 1.0, *weights)


def descended(loss: Callable[..., float], X: Any, y: Any, weights: Sequence[Any], lr: float, batch: int) -> list[Any]:
    """The weights after an epoch of gradient descent, with derivatives that are found by trying."""
    weights = [np.array(each, dtype=np.float64) for each in weights]
    first = 0
    while first < len(X):
        end = min(first + batch, len(X))
        moves = slopes(loss, X[first:end], y[first:end], *weights)
        weights = [each - lr * move for each, move in zip(weights, moves)]
        first = end
    return weights


def mistakes(
    loss: Callable[..., float], X: Any, y: Any, weights: Sequence[Any], lr: float, batch: int, of: int = 0
) -> dict[str, Any]:
    """Where plausible mistakes lead in an epoch; `of` says for which of the weights."""
    m, before = len(X), np.asarray(weights[of], dtype=np.float64)

    def other(X: Any = X, y: Any = y, lr: float = lr, batch: int = batch) -> Any:
        return descended(loss, X, y, weights, lr, batch)[of]

    found = {
        "the weights are what they were before": before,
        "the step goes uphill": other(lr=-lr),
        "the learning rate is not used": other(lr=1.0),
    }
    if batch > 1 and m % batch == 0:
        found["the gradients of the batch are summed, not averaged"] = other(lr=lr * batch)
    if batch < m:
        found["all is one batch"] = other(batch=m)
        found["only the first batch is used"] = other(X=X[:batch], y=y[:batch])
        again = np.resize(y[:batch], m)
        found["every batch gets the labels of the first"] = other(y=again)
        if m % batch:
            found["the last batch, which is short, is left out"] = other(X=X[: m - m % batch], y=y[: m - m % batch])
    return found


def problem(m: int, n: int = 4, k: int = 3, dtype: str = "float64") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some examples, their labels (uint8, as those of MNIST), and weights."""
    X, theta = random(m, n, low=0.0, high=1.0, dtype=dtype), random(n, k, seed=1, dtype=dtype)
    return X, labels(m, k), theta


def labels(m: int, k: int) -> np.ndarray:
    """Labels, uint8, in which every class occurs."""
    return (np.arange(m) * 5 % 7 % k).astype(np.uint8)


def framed(array: Any, around: float) -> tuple[np.ndarray, np.ndarray]:
    """A float32 copy of a matrix in the middle of a larger one, and that larger one, with `around` above and below.

    Whoever reads beyond the matrix gets these numbers, and whoever writes there changes them.
    """
    rows, columns = np.shape(array)
    whole = np.full((rows + 8, columns), around, dtype=np.float32)
    whole[4 : 4 + rows] = array
    return whole[4 : 4 + rows], whole
