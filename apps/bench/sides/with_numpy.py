"""The work in plain NumPy, and what the floors need of it: memory traffic and random draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import numpy as np

from apps.bench import ewise as ewise_benchmark
from apps.bench import gemm as gemm_benchmark
from apps.bench import mlp as mlp_benchmark
from apps.bench import overhead as overhead_benchmark
from apps.bench import reduce as reduce_benchmark
from apps.bench.sides import Absent, Work

Array = np.ndarray


def about() -> str:
    """Version and BLAS."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"NumPy {np.__version__} ({blas['name']} {blas['version']})"


def _function(function: Callable[[], Array]) -> Work:
    """The repeated call of a function that gives an array."""
    return Work(step=function, answer=lambda: np.asarray(function()))


def gemm(m: int, k: int, n: int, form: str) -> Work:
    """A product; `.T` is a view, and BLAS reads it in place."""
    a, b = gemm_benchmark.operands(m, k, n, form)
    if form == "A^T B":
        return _function(lambda: a.T @ b)
    if form == "A B^T":
        return _function(lambda: a @ b.T)
    return _function(lambda: a @ b)


def ewise(function: str, rows: int, columns: int) -> Work:
    """An elementwise function."""
    x, y = ewise_benchmark.operands(function, rows, columns)
    zero = np.float32(0)
    return _function(
        {
            "add": lambda: x + y,
            "mul": lambda: x * y,
            "exp": lambda: np.exp(x),
            "tanh": lambda: np.tanh(x),
            "relu": lambda: np.maximum(x, zero),
            "bias": lambda: x + y,
            "transposed": lambda: x + y.T,
        }[function]
    )


def reduce(function: str, axis: int | None, rows: int, columns: int) -> Work:
    """A reduction."""
    x = reduce_benchmark.operand(rows, columns)
    eps = np.float32(reduce_benchmark.EPS)
    weight, bias = np.ones(columns, np.float32), np.zeros(columns, np.float32)

    def softmax() -> Array:
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def logsumexp() -> Array:
        top = x.max(axis=1, keepdims=True)
        return np.log(np.exp(x - top).sum(axis=1)) + top[:, 0]

    def layer_norm() -> Array:
        centred = x - x.mean(axis=1, keepdims=True)
        variance = np.mean(centred * centred, axis=1, keepdims=True)
        return centred / np.sqrt(variance + eps) * weight + bias

    return _function(
        {
            "sum": lambda: x.sum(axis=axis),
            "max": lambda: x.max(axis=axis),
            "softmax": softmax,
            "logsumexp": logsumexp,
            "layer norm": layer_norm,
        }[function]
    )


def overhead(gradient: bool, backward: bool) -> Work:
    """The operations alone: NumPy records nothing."""
    if gradient:
        raise Absent("NumPy knows no gradients")
    x = np.ones((overhead_benchmark.SIDE, overhead_benchmark.SIDE), np.float32)

    def chain() -> Array:
        y = x
        for _ in range(overhead_benchmark.REPEATS):
            y = y + 1.0 * y
        return y

    return _function(chain)


# Training -------------------------------------------------------------------------------------------------------------


class SGD:
    """w <- w - lr g."""

    def __init__(self, parameters: Sequence[Array], lr: float) -> None:
        self.parameters, self.lr = parameters, lr

    def update(self, gradients: Sequence[Array]) -> None:
        """Write the new weights over the old."""
        for parameter, gradient in zip(self.parameters, gradients):
            parameter -= self.lr * gradient


class Adam:
    """Kingma and Ba, 2015, with the bias corrections folded into the step size and eps kept where they have it."""

    def __init__(self, parameters: Sequence[Array], lr: float) -> None:
        self.parameters, self.lr, self.steps = parameters, lr, 0
        self.first = [np.zeros_like(parameter) for parameter in parameters]
        self.second = [np.zeros_like(parameter) for parameter in parameters]

    def update(self, gradients: Sequence[Array], beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        """Write the new weights over the old."""
        self.steps += 1
        step = self.lr / (1 - beta1**self.steps)
        root = (1 - beta2**self.steps) ** 0.5
        for w, g, m, v in zip(self.parameters, gradients, self.first, self.second):
            m *= beta1
            m += (1 - beta1) * g
            v *= beta2
            v += (1 - beta2) * (g * g)
            w -= step * m / (np.sqrt(v) / root + eps)


def mlp(widths: Sequence[int], batch: int, optimizer: str) -> Work:
    """A training step with derivatives by hand."""
    parameters = mlp_benchmark.mlp_parameters(widths)
    weights, biases = parameters[0::2], parameters[1::2]
    batches = cycle(mlp_benchmark.batches(batch))
    rule = SGD if optimizer == "sgd" else Adam
    update = rule(parameters, mlp_benchmark.LEARNING_RATE[optimizer]).update
    rows = np.arange(batch)

    def step() -> np.float32:
        x, labels = next(batches)
        inputs = [x]
        for weight, bias in zip(weights[:-1], biases[:-1]):
            inputs.append(np.maximum(inputs[-1] @ weight + bias, np.float32(0)))
        logits = inputs[-1] @ weights[-1] + biases[-1]
        logits -= logits.max(axis=1, keepdims=True)
        exp = np.exp(logits)
        total = exp.sum(axis=1, keepdims=True)
        loss: np.float32 = (np.log(total[:, 0]) - logits[rows, labels]).mean()

        gradient = exp / total
        gradient[rows, labels] -= 1
        gradient /= np.float32(batch)
        gradients: list[Array] = []
        for layer in reversed(range(len(weights))):
            gradients += [gradient.sum(axis=0), inputs[layer].T @ gradient]
            if layer > 0:
                gradient = gradient @ weights[layer].T * (inputs[layer] > 0)
        update(gradients[::-1])
        return loss

    return Work(step, lambda: np.array([step() for _ in range(mlp_benchmark.CHECKED_STEPS)]))


# The floors' parts ----------------------------------------------------------------------------------------------------


def bandwidth(size: int, threads: int, passes: int) -> Work:
    """Passes over `size` bytes: every thread adds two arrays of its own into a third."""
    count = max(1, size // (4 * 3 * threads))
    parts = [[np.ones(count, np.float32) for _ in range(3)] for _ in range(threads)]
    pool = ThreadPoolExecutor(threads)

    def add(part: list[Array]) -> None:
        for _ in range(passes):
            np.add(part[0], part[1], out=part[2])

    def step() -> Array:
        list(pool.map(add, parts))
        return parts[0][2]

    return Work(step, step)


def draws(shape: Sequence[int]) -> Work:
    """A uniform number for every element of a dropout mask, as `needle.init.rand` draws them."""
    return Work(lambda: np.random.rand(*shape), lambda: np.zeros(1))
