"""The work in JAX: jitted functions, the training state donated, optimizers from optax."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from apps.bench import ewise as ewise_benchmark
from apps.bench import gemm as gemm_benchmark
from apps.bench import mlp as mlp_benchmark
from apps.bench import reduce as reduce_benchmark
from apps.bench.sides import Work


def about() -> str:
    """Versions."""
    return f"JAX {jax.__version__}, optax {optax.__version__}"


def _function(function: Callable[..., Array], *operands: np.ndarray) -> Work:
    """The repeated call of a jitted function, each call awaited."""
    jitted = jax.jit(function)
    arrays = [jnp.asarray(operand) for operand in operands]
    return Work(lambda: jitted(*arrays).block_until_ready(), lambda: np.asarray(jitted(*arrays)))


def gemm(m: int, k: int, n: int, form: str) -> Work:
    """A product; XLA folds the transposition into it."""
    functions: dict[str, Callable[..., Array]] = {
        "A B": lambda a, b: a @ b,
        "A^T B": lambda a, b: a.T @ b,
        "A B^T": lambda a, b: a @ b.T,
    }
    return _function(functions[form], *gemm_benchmark.operands(m, k, n, form))


def ewise(function: str, rows: int, columns: int) -> Work:
    """An elementwise function."""
    functions: dict[str, Callable[..., Array]] = {
        "add": lambda x, y: x + y,
        "mul": lambda x, y: x * y,
        "exp": lambda x, y: jnp.exp(x),
        "tanh": lambda x, y: jnp.tanh(x),
        "relu": lambda x, y: jax.nn.relu(x),
        "bias": lambda x, y: x + y,
        "transposed": lambda x, y: x + y.T,
    }
    return _function(functions[function], *ewise_benchmark.operands(function, rows, columns))


def reduce(function: str, axis: int | None, rows: int, columns: int) -> Work:
    """A reduction."""
    functions: dict[str, Callable[..., Array]] = {
        "sum": lambda x: x.sum(axis),
        "max": lambda x: x.max(axis),
        "softmax": lambda x: jax.nn.softmax(x, axis=1),
        "logsumexp": lambda x: jax.nn.logsumexp(x, axis=1),
        "layer norm": lambda x: jax.nn.standardize(x, axis=1, epsilon=reduce_benchmark.EPS),
    }
    return _function(functions[function], reduce_benchmark.operand(rows, columns))


# Training -------------------------------------------------------------------------------------------------------------


def _training(
    loss_of: Callable[..., tuple[Array, Any]], parameters: Any, state: Any, batch: int, optimizer: str
) -> Work:
    """Training steps; ``loss_of(parameters, state, x, y)`` gives the loss and the state that it leaves behind."""
    lr = mlp_benchmark.LEARNING_RATE[optimizer]
    transform = {"sgd": optax.sgd, "adam": optax.adam}[optimizer](lr)

    def train(parameters: Any, state: Any, moments: Any, x: Array, y: Array) -> tuple[Any, Any, Any, Array]:
        (loss, state), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters, state, x, y)
        updates, moments = transform.update(gradients, moments, parameters)
        return optax.apply_updates(parameters, updates), state, moments, loss

    jitted = jax.jit(train, donate_argnums=(0, 1, 2))
    batches = cycle([(jnp.asarray(x), jnp.asarray(y)) for x, y in mlp_benchmark.batches(batch)])
    carried: list[Any] = [parameters, state, transform.init(parameters), None]

    def step() -> Array:
        carried[:] = jitted(*carried[:3], *next(batches))
        loss: Array = carried[3]
        return loss

    return Work(
        step,
        answer=lambda: np.array([float(step()) for _ in range(mlp_benchmark.CHECKED_STEPS)]),
        finish=lambda: jax.block_until_ready(carried),
    )


def _cross_entropy(logits: Array, y: Array) -> Array:
    """The softmax loss."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def mlp(widths: Sequence[int], batch: int, optimizer: str) -> Work:
    """A plain MLP."""

    def loss_of(parameters: list[Array], state: Any, x: Array, y: Array) -> tuple[Array, Any]:
        for weight, bias in zip(parameters[:-2:2], parameters[1:-2:2]):
            x = jax.nn.relu(x @ weight + bias)
        return _cross_entropy(x @ parameters[-2] + parameters[-1], y), state

    return _training(loss_of, list(map(jnp.asarray, mlp_benchmark.mlp_parameters(widths))), (), batch, optimizer)


def _batch_norm(
    x: Array, weight: Array, bias: Array, running: tuple[Array, Array]
) -> tuple[Array, tuple[Array, Array]]:
    """Normalized over the batch, and the running mean and variance moved by a tenth."""
    mean, variance = x.mean(axis=0), x.var(axis=0)
    moved = (0.9 * running[0] + 0.1 * mean, 0.9 * running[1] + 0.1 * variance)
    return (x - mean) / jnp.sqrt(variance + 1e-5) * weight + bias, moved


def mlp_resnet(batch: int) -> Work:
    """MLPResNet; its state is the running statistics of the norms and the key of the random numbers."""
    m = mlp_benchmark

    def loss_of(parameters: list[Array], state: Any, x: Array, y: Array) -> tuple[Array, Any]:
        running, key = state
        kept = []
        key, *keys = jax.random.split(key, 1 + m.BLOCKS)
        weight, bias, *rest = parameters
        x = jax.nn.relu(x @ weight + bias)
        for block in range(m.BLOCKS):
            w1, b1, s1, c1, w2, b2, s2, c2 = rest[8 * block : 8 * block + 8]
            h, statistics = _batch_norm(x @ w1 + b1, s1, c1, running[2 * block])
            kept.append(statistics)
            mask = jax.random.bernoulli(keys[block], 1 - m.DROP, h.shape)
            h = jnp.where(mask, jax.nn.relu(h) / (1 - m.DROP), 0)
            h, statistics = _batch_norm(h @ w2 + b2, s2, c2, running[2 * block + 1])
            kept.append(statistics)
            x = jax.nn.relu(x + h)
        return _cross_entropy(x @ rest[-2] + rest[-1], y), (kept, key)

    norms = [m.HIDDEN // 2, m.HIDDEN] * m.BLOCKS
    running = [(jnp.zeros(width), jnp.ones(width)) for width in norms]
    parameters = list(map(jnp.asarray, m.resnet_parameters()))
    return _training(loss_of, parameters, (running, jax.random.key(0)), batch, "adam")
