"""The work in needle, eager."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle, pairwise
from typing import Any

import numpy as np

import needle as ndl
from apps.bench import ewise as ewise_benchmark
from apps.bench import gemm as gemm_benchmark
from apps.bench import mlp as mlp_benchmark
from apps.bench import overhead as overhead_benchmark
from apps.bench import reduce as reduce_benchmark
from apps.bench.sides import Work
from needle import backend_ndarray as nd
from needle import nn
from needle.compiled import passes


def about() -> str:
    """Version and instruction set."""
    return f"needle {ndl.__version__} ({nd.isa()})"


def _function(function: Callable[[], Any]) -> Work:
    """The repeated call of a function that gives an NDArray or a Tensor."""
    return Work(step=function, answer=lambda: function().numpy())


def gemm(m: int, k: int, n: int, form: str) -> Work:
    """A product of NDArrays; a permuted operand is a view."""
    a, b = map(nd.array, gemm_benchmark.operands(m, k, n, form))
    if form == "A^T B":
        return _function(lambda: a.permute((1, 0)) @ b)
    if form == "A B^T":
        return _function(lambda: a @ b.permute((1, 0)))
    return _function(lambda: a @ b)


def rung(kernel: str, threads: int, m: int, k: int, n: int) -> Work:
    """A product by one rung of the ladder, into an array that is there already."""
    nd.set_num_threads(threads)
    a, b = map(nd.array, gemm_benchmark.operands(m, k, n, "A B"))
    out = nd.empty((m, n))
    multiply = getattr(nd.cpu(), kernel)

    def product() -> nd.NDArray:
        multiply(a._view, b._view, out._view)
        return out

    return _function(product)


def ewise(function: str, rows: int, columns: int) -> Work:
    """An elementwise function of NDArrays."""
    x, y = map(nd.array, ewise_benchmark.operands(function, rows, columns))
    return _function(
        {
            "add": lambda: x + y,
            "mul": lambda: x * y,
            "exp": lambda: x.exp(),
            "tanh": lambda: x.tanh(),
            "relu": lambda: x.maximum(0.0),
            "bias": lambda: x + y.broadcast_to((rows, columns)),
            "transposed": lambda: x + y.permute((1, 0)),
        }[function]
    )


def reduce(function: str, axis: int | None, rows: int, columns: int) -> Work:
    """A reduction: of an NDArray where the array layer has it, else of a Tensor that needs no gradient."""
    values = reduce_benchmark.operand(rows, columns)
    array, tensor = nd.array(values), ndl.Tensor(values, requires_grad=False)
    norm = nn.LayerNorm1d(columns, eps=reduce_benchmark.EPS)
    for parameter in norm.parameters():
        parameter.requires_grad = False
    return _function(
        {
            "sum": lambda: array.sum(axis=axis),
            "max": lambda: array.max(axis=axis),
            "softmax": lambda: ndl.softmax(tensor, 1),
            "logsumexp": lambda: ndl.logsumexp(tensor, (1,)),
            "layer norm": lambda: norm(tensor),
        }[function]
    )


def overhead(gradient: bool, backward: bool) -> Work:
    """A chain of small operations, perhaps with its derivative."""
    ones = np.ones((overhead_benchmark.SIDE, overhead_benchmark.SIDE), np.float32)
    x, seed = ndl.Tensor(ones, requires_grad=gradient), ndl.Tensor(ones, requires_grad=False)

    def chain() -> ndl.Tensor:
        y = x
        for _ in range(overhead_benchmark.REPEATS):
            y = y + 1.0 * y
        return y

    def chain_and_back() -> ndl.Tensor:
        chain().backward(seed, create_graph=False)
        return x.grad

    return _function(chain_and_back if backward else chain)


def deep(length: int) -> Work:
    """Build, differentiate and free a chain."""
    one = np.ones(1, np.float32)
    x, seed = ndl.Tensor(one), ndl.Tensor(one, requires_grad=False)

    def build_and_back() -> ndl.Tensor:
        y = x
        for _ in range(length):
            y = y + 1
        y.backward(seed, create_graph=False)
        return x.grad

    return _function(build_and_back)


# Training -------------------------------------------------------------------------------------------------------------

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


def eager(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it is; `with_needle_compiled` compiles it instead."""
    return function


def _begin_with(model: nn.Module, values: Sequence[np.ndarray]) -> None:
    """Give the model its initial parameters; needle keeps biases as (1, out)."""
    for parameter, value in zip(model.parameters(), values, strict=True):
        parameter.data = ndl.Tensor(value.reshape(parameter.shape), requires_grad=False)


def _training(model: nn.Module, batch: int, optimizer: str, wrap: Wrap) -> Work:
    """Training steps on the benchmark's batches."""
    batches = cycle(
        [
            (ndl.Tensor(x, requires_grad=False), ndl.Tensor(y, requires_grad=False))
            for x, y in mlp_benchmark.batches(batch)
        ]
    )
    lr = mlp_benchmark.LEARNING_RATE[optimizer]
    update = {"sgd": ndl.optim.SGD, "adam": ndl.optim.Adam}[optimizer](model.parameters(), lr=lr)
    loss_of = nn.SoftmaxLoss()

    def train(x: ndl.Tensor, y: ndl.Tensor) -> ndl.Tensor:
        loss = loss_of(model(x), y)
        update.reset_grad()
        loss.backward(create_graph=False)
        update.step()
        return loss

    wrapped = wrap(train)

    def step() -> ndl.Tensor:
        return wrapped(*next(batches))

    return Work(step, lambda: np.array([float(step().numpy()) for _ in range(mlp_benchmark.CHECKED_STEPS)]))


def with_passes(of: str, count: int | None, **arguments: Any) -> Work:
    """A training step, compiled with the first `count` passes; None for eager."""
    work = {"mlp": mlp, "mlp_resnet": mlp_resnet}[of]
    return work(**arguments, wrap=eager if count is None else ndl.compile(passes=passes.PASSES[:count]))


def mlp(widths: Sequence[int], batch: int, optimizer: str, wrap: Wrap = eager) -> Work:
    """A plain MLP."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    _begin_with(model, mlp_benchmark.mlp_parameters(widths))
    return _training(model, batch, optimizer, wrap)


def mlp_resnet(batch: int, wrap: Wrap = eager) -> Work:
    """MLPResNet, from ``apps/mlp_resnet.py``."""
    from apps.mlp_resnet import MLPResNet

    m = mlp_benchmark
    model = MLPResNet(m.DIM, m.HIDDEN, m.BLOCKS, m.CLASSES, drop_prob=m.DROP)
    model.train()
    _begin_with(model, m.resnet_parameters())
    return _training(model, batch, "adam", wrap)
