"""The work in PyTorch, eager."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import cycle, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from apps.bench import ewise as ewise_benchmark
from apps.bench import gemm as gemm_benchmark
from apps.bench import mlp as mlp_benchmark
from apps.bench import overhead as overhead_benchmark
from apps.bench import reduce as reduce_benchmark
from apps.bench.sides import Work

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
torch.set_num_interop_threads(1)


def about() -> str:
    """Version and BLAS."""
    return f"PyTorch {torch.__version__} ({'MKL' if torch.backends.mkl.is_available() else 'no MKL'})"


def _function(function: Callable[[], Tensor]) -> Work:
    """The repeated call of a function that gives a tensor."""
    return Work(step=function, answer=lambda: function().detach().numpy())


def gemm(m: int, k: int, n: int, form: str) -> Work:
    """A product; `.T` is a view."""
    a, b = map(torch.from_numpy, gemm_benchmark.operands(m, k, n, form))
    if form == "A^T B":
        return _function(lambda: a.T @ b)
    if form == "A B^T":
        return _function(lambda: a @ b.T)
    return _function(lambda: a @ b)


def ewise(function: str, rows: int, columns: int) -> Work:
    """An elementwise function."""
    x, y = map(torch.from_numpy, ewise_benchmark.operands(function, rows, columns))
    return _function(
        {
            "add": lambda: x + y,
            "mul": lambda: x * y,
            "exp": lambda: torch.exp(x),
            "tanh": lambda: torch.tanh(x),
            "relu": lambda: torch.relu(x),
            "bias": lambda: x + y,
            "transposed": lambda: x + y.T,
        }[function]
    )


def reduce(function: str, axis: int | None, rows: int, columns: int) -> Work:
    """A reduction; `amax`, since `max` over an axis also finds the indices."""
    x = torch.from_numpy(reduce_benchmark.operand(rows, columns))
    weight, bias = torch.ones(columns), torch.zeros(columns)
    over = (0, 1) if axis is None else (axis,)
    return _function(
        {
            "sum": lambda: x.sum(over),
            "max": lambda: x.amax(over),
            "softmax": lambda: torch.softmax(x, 1),
            "logsumexp": lambda: torch.logsumexp(x, 1),
            "layer norm": lambda: functional.layer_norm(x, (columns,), weight, bias, reduce_benchmark.EPS),
        }[function]
    )


def overhead(gradient: bool, backward: bool) -> Work:
    """A chain of small operations, perhaps with its derivative."""
    shape = (overhead_benchmark.SIDE, overhead_benchmark.SIDE)
    x, ones = torch.ones(shape, requires_grad=gradient), torch.ones(shape)

    def chain() -> Tensor:
        y = x
        for _ in range(overhead_benchmark.REPEATS):
            y = y + 1.0 * y
        return y

    def chain_and_back() -> Tensor:
        x.grad = None
        chain().backward(ones)
        assert x.grad is not None
        return x.grad

    return _function(chain_and_back if backward else chain)


def deep(length: int) -> Work:
    """Build, differentiate and free a chain."""
    x, one = torch.ones(1, requires_grad=True), torch.ones(1)

    def build_and_back() -> Tensor:
        y = x
        for _ in range(length):
            y = y + 1
        x.grad = None
        y.backward(one)
        assert x.grad is not None
        return x.grad

    return _function(build_and_back)


# Training -------------------------------------------------------------------------------------------------------------

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


def eager(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it is; `with_torch_compile` compiles it instead."""
    return function


class ResidualBlock(nn.Module):
    """ReLU(x + f(x)) as in ``apps/mlp_resnet.py``."""

    def __init__(self, dim: int, hidden: int, drop: float) -> None:
        super().__init__()
        self.f = nn.Sequential(
            nn.Linear(dim, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(drop),
            nn.Linear(hidden, dim),
            nn.BatchNorm1d(dim),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, dim) to (batch, dim)."""
        return torch.relu(x + self.f(x))


def _begin_with(model: nn.Module, values: Sequence[np.ndarray]) -> None:
    """Give the model its initial parameters; PyTorch keeps weights as (out, in)."""
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), values, strict=True):
            parameter.copy_(torch.from_numpy(value.T))


def _training(model: nn.Module, batch: int, optimizer: str, wrap: Wrap) -> Work:
    """Training steps on the benchmark's batches."""
    batches = cycle([(torch.from_numpy(x), torch.from_numpy(y)) for x, y in mlp_benchmark.batches(batch)])
    lr = mlp_benchmark.LEARNING_RATE[optimizer]
    # Fused is the fastest of PyTorch's three implementations of an update, though not its default on a CPU.
    update = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer](model.parameters(), lr, fused=True)
    loss_of = wrap(lambda x, y: functional.cross_entropy(model(x), y))
    update_parameters = wrap(update.step)

    def step() -> Tensor:
        loss: Tensor = loss_of(*next(batches))
        update.zero_grad()
        loss.backward()
        update_parameters()
        return loss

    return Work(step, lambda: np.array([step().item() for _ in range(mlp_benchmark.CHECKED_STEPS)]))


def mlp(widths: Sequence[int], batch: int, optimizer: str, wrap: Wrap = eager) -> Work:
    """A plain MLP."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    _begin_with(model, mlp_benchmark.mlp_parameters(widths))
    return _training(model, batch, optimizer, wrap)


def mlp_resnet(batch: int, wrap: Wrap = eager) -> Work:
    """MLPResNet."""
    m = mlp_benchmark
    blocks = [ResidualBlock(m.HIDDEN, m.HIDDEN // 2, m.DROP) for _ in range(m.BLOCKS)]
    model = nn.Sequential(nn.Linear(m.DIM, m.HIDDEN), nn.ReLU(), *blocks, nn.Linear(m.HIDDEN, m.CLASSES))
    _begin_with(model, m.resnet_parameters())
    return _training(model, batch, "adam", wrap)
