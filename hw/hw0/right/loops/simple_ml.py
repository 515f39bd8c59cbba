"""Loops over rows and numbers, and Python's own functions where NumPy has some."""

# ruff: noqa: N803, N806

import gzip
import zlib

import numpy as np

FILE = "hw/hw0/simple_ml.py"


def read_idx(filename):
    try:
        content = gzip.open(filename).read()  # noqa: SIM115
    except FileNotFoundError:
        raise
    except (OSError, EOFError, zlib.error):
        raise ValueError(f"{filename} is damaged") from None
    if len(content) < 4 or list(content[:3]) != [0, 0, 8]:
        raise ValueError(f"{filename} is of another kind")
    shape, elements = [], 1
    for axis in range(content[3]):
        extent = content[4 + 4 * axis : 8 + 4 * axis]
        if len(extent) < 4:
            raise ValueError(f"{filename} has no whole header")
        number = 0
        for byte in extent:
            number = 256 * number + byte
        shape.append(number)
        elements *= number
    rest = content[4 + 4 * len(shape) :]
    if len(rest) != elements:
        raise ValueError(f"{filename} holds {len(rest)} elements, not {elements}")
    return np.array(list(rest), dtype=np.uint8).reshape(shape)


def parse_mnist(image_filename, label_filename):
    images = read_idx(image_filename)
    labels = read_idx(label_filename)
    if len(images.shape) != 3 or len(labels.shape) != 1 or images.shape[0] != labels.shape[0]:
        raise ValueError("these files do not belong together")
    X = np.zeros((images.shape[0], images[0].size), dtype=np.float32)
    for i, image in enumerate(images):
        X[i] = image.flatten() / 255
    return X, labels


def softmax_loss(Z, y):
    total = Z.dtype.type(0)
    for row, truth in zip(Z, y):
        top = max(row)
        total += np.log(sum(np.exp(row - top))) + top - row[truth]
    return total / Z.dtype.type(len(Z))


def loss_err(h, y):
    wrong = 0
    for row, truth in zip(h, y):
        wrong += int(np.argmax(row)) != truth
    return softmax_loss(h, y), wrong / len(h)


def softmax_gradient(Z, y):
    G = np.empty_like(Z)
    for i in range(len(Z)):
        powers = np.exp(Z[i] - np.max(Z[i]))
        G[i] = powers / np.sum(powers)
        G[i, y[i]] -= 1
        G[i] /= len(Z)
    return G


def softmax_regression_epoch(X, y, theta, lr=0.1, batch=100):
    start = 0
    while start < X.shape[0]:
        end = min(start + batch, X.shape[0])
        G = softmax_gradient(np.dot(X[start:end], theta), y[start:end])
        gradient = np.zeros_like(theta)
        for x, g in zip(X[start:end], G):
            gradient += np.outer(x, g)
        theta[...] = theta - lr * gradient
        start = end


def nn_gradients(X, y, W1, W2):
    Z1 = X @ W1
    hidden = Z1.copy()
    hidden[Z1 < 0] = 0
    G2 = softmax_gradient(hidden @ W2, y)
    gradient1, gradient2 = np.zeros_like(W1), np.zeros_like(W2)
    for i in range(len(X)):
        gradient2 += np.outer(hidden[i], G2[i])
        back = W2 @ G2[i]
        back[Z1[i] <= 0] = 0
        gradient1 += np.outer(X[i], back)
    return gradient1, gradient2


def nn_epoch(X, y, W1, W2, lr=0.1, batch=100):
    for start in range(0, X.shape[0], batch):
        gradients = nn_gradients(X[start : start + batch], y[start : start + batch], W1, W2)
        for W, gradient in zip((W1, W2), gradients):
            np.subtract(W, lr * gradient, out=W)
