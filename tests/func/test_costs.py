"""What derivatives cost: kernel calls and floating-point operations, counted; and how large the engine is."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import needle as ndl
from needle import nn
from needle.backend_selection import BACKEND, cpu
from tests.func.functions import constant

needs_kernels = pytest.mark.skipif(BACKEND != "nd", reason="counts kernel calls")


class Cost(NamedTuple):
    calls: int
    flops: int  # of matrix products


def cost_of(function: Callable[[], Any]) -> Cost:
    """The kernel calls that `function` makes, and the multiplications and additions of its matrix products."""
    calls, flops = 0, 0

    def count(name: str, kernel: Any, args: tuple[Any, ...]) -> Any:
        nonlocal calls, flops
        calls += 1
        if name.startswith("matmul"):
            flops += 2 * prod(args[0].shape) * args[1].shape[-1]
        return kernel(*args)

    with cpu().listening(count):
        function()
    return Cost(calls, flops)


def chain(x: Any) -> Any:
    """50 operators on a scalar."""
    for _ in range(5):
        x = ndl.exp(-(ndl.sin(x) * x))
        x = ndl.tanh(ndl.log(x + 2) / 3)
        x = ndl.sqrt(x**2 + 1)
    return x


@needs_kernels
def test_on_a_chain_of_50_operators_derivatives_cost_a_few_times_the_function():
    x, one = constant(0.5), constant(1.0)
    y = chain(ndl.Tensor(0.5))
    assert sum(node.op is not None for node in ndl.autograd.find_topo_sort([y])) == 55
    base = cost_of(lambda: chain(x)).calls
    assert cost_of(lambda: ndl.value_and_grad(chain)(x)).calls <= 4 * base
    assert cost_of(lambda: ndl.jvp(chain, (x,), (one,))).calls <= 3 * base
    assert cost_of(lambda: ndl.hvp(chain, (x,), (one,))).calls <= 10 * base


@needs_kernels
@pytest.mark.parametrize("by", ["parameters", "input"])
def test_on_an_mlp_derivatives_cost_a_few_times_the_function(by):
    np.random.seed(0)
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    batch, labels = constant(np.random.randn(16, 32), "float32"), constant(np.arange(16) % 10)
    if by == "parameters":
        x: Any = {name: p.detach() for name, p in model.named_parameters()}
        loss = lambda p: nn.SoftmaxLoss()(ndl.functional_call(model, p, batch), labels)  # noqa: E731
    else:
        x, loss = batch, lambda batch: nn.SoftmaxLoss()(model(batch), labels)
    base = cost_of(lambda: loss(x)).flops
    assert base == 2 * 16 * (32 * 64 + 64 * 64 + 64 * 10)
    assert cost_of(lambda: ndl.value_and_grad(loss)(x)).flops <= 3 * base
    assert cost_of(lambda: ndl.jvp(loss, (x,), (x,))).flops <= 3 * base
    assert cost_of(lambda: ndl.hvp(loss, (x,), (x,))).flops <= 10 * base


@needs_kernels
def test_a_jacobian_of_one_row_or_one_column_costs_one_pass():
    """And one of n rows takes as many kernel calls as one of 1 row."""
    weights = constant(np.linspace(-1, 1, 1000))
    column = lambda x: ndl.tanh(x * weights)  # noqa: E731  (R -> R^1000)
    row = lambda v: (ndl.tanh(v) * v).sum()  # noqa: E731  (R^1000 -> R)
    x, v = constant(0.5), constant(np.ones(1000))
    forward = cost_of(lambda: ndl.jvp(column, (x,), (constant(1.0),))).calls
    assert cost_of(lambda: ndl.jacfwd(column)(x)).calls <= forward + 4
    assert cost_of(lambda: ndl.jacobian(column)(x)).calls <= forward + 8
    backward = cost_of(lambda: ndl.grad(row)(v)).calls
    assert cost_of(lambda: ndl.jacrev(row)(v)).calls <= backward + 4
    assert cost_of(lambda: ndl.jacobian(row)(v)).calls <= backward + 4

    def square(n: int) -> Any:
        return lambda x: ndl.sin(x * 2) * x

    few, many = (cost_of(lambda n=n: ndl.jacrev(square(n))(constant(np.ones(n)))).calls for n in (2, 200))
    assert few == many


@needs_kernels
def test_a_checkpoint_halves_the_memory_of_activations_for_a_third_more_work():
    from needle.backend_ndarray import memory_stats, reset_peak

    np.random.seed(0)
    n, width = 256, 128
    blocks = [nn.Sequential(*[m for _ in range(4) for m in (nn.Linear(width, width), nn.Tanh())]) for _ in range(8)]
    x = ndl.Tensor(np.random.randn(n, width), requires_grad=False)

    def step(wrap: Any) -> None:
        h = x
        for block in blocks:
            h = wrap(block)(h)
        (h * h).mean().backward(create_graph=False)

    peaks, flops = [], []
    for wrap in (lambda block: block, ndl.checkpoint):
        step(wrap)  # the gradients of the parameters are there before and after
        reset_peak()
        before = memory_stats()["in_use"]
        flops.append(cost_of(lambda wrap=wrap: step(wrap)).flops)
        peaks.append(memory_stats()["peak"] - before)
    assert peaks[1] <= peaks[0] / 2
    assert flops[1] <= 1.4 * flops[0]


#: Tracing, reverse, forward, and the functions made of them. Batches, tapes and overrides stand beside it.
ENGINE = [
    "autograd.py",
    "modes.py",
    "reverse.py",
    "forward.py",
    "func/structures.py",
    "func/products.py",
    "func/derivatives.py",
]


def lines_of_code(path: Path) -> int:
    """Lines that hold more than a comment or a docstring."""
    source = path.read_text()
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            docstrings.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    quiet = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in quiet:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - docstrings)


def test_the_engine_can_be_read_in_one_sitting():
    package = Path(ndl.__file__).parent
    assert 500 < sum(lines_of_code(package / name) for name in ENGINE) < 900
