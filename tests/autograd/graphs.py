"""What the tests of the graph share: reading a graph, and counting what is computed."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn, optim
from needle.backend_selection import BACKEND

nd_only = pytest.mark.skipif(BACKEND != "nd", reason="about Needle's own arrays")
np_only = pytest.mark.skipif(BACKEND != "np", reason="about plain NumPy arrays")


def tensor(values: Any, dtype: str = "float32", **options: Any) -> ndl.Tensor:
    """A leaf of the same dtype on both array libraries."""
    return ndl.Tensor(np.asarray(values, dtype=dtype), dtype=dtype, **options)


def delicate_training_step() -> list[np.ndarray]:
    """The parameters after a step in which there is all that watching might disturb: draws, statistics, moments."""
    np.random.seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 3))
    optimizer = optim.Adam(model.parameters())
    nn.SoftmaxLoss()(model(tensor(np.random.randn(6, 4))), tensor([0, 1, 2, 0, 1, 2])).backward()
    optimizer.step()
    return [parameter.numpy() for parameter in model.parameters()]


def replayed(function: Callable[..., Any], *args: Any) -> Any:
    """`function` compiled, and called so often that its next call with `args` is a replay."""
    compiled = ndl.compile(function)
    for _ in range(3):
        compiled(*args)
    assert len(compiled.programs) == 1
    return compiled


def step_of_squares(model: nn.Module, optimizer: optim.Optimizer) -> Callable[[ndl.Tensor], ndl.Tensor]:
    """A training step that makes the outputs of a model smaller, and gives the loss."""

    def step(x: ndl.Tensor) -> ndl.Tensor:
        loss = (model(x) ** 2).sum()
        optimizer.reset_grad()
        loss.backward(create_graph=False)
        optimizer.step()
        return loss

    return step


def live_values() -> int:
    """How many Values are alive, garbage in reference cycles aside."""
    gc.collect()
    return ndl.autograd.TENSOR_COUNTER


def op_names(*nodes: ndl.Value) -> list[str]:
    """The classes of the ops behind `nodes`, in topological order, without leaves."""
    return [type(node.op).__name__ for node in ndl.autograd.find_topo_sort(list(nodes)) if node.op is not None]


@contextmanager
def counted_computations() -> Iterator[Counter[str]]:
    """Within the block, count how often each op class of `needle.ops` computes; inferring shapes does not count."""
    counts: Counter[str] = Counter()
    inferring: list[ndl.Op] = []
    infer = ndl.Op.infer

    def marked(self: ndl.Op, *inputs: Any) -> Any:
        inferring.append(self)
        try:
            return infer(self, *inputs)
        finally:
            inferring.pop()

    def counting(compute: Any) -> Any:
        def counted(self: ndl.Op, *arrays: Any) -> Any:
            if not inferring:
                counts[type(self).__name__] += 1
            return compute(self, *arrays)

        return counted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ndl.Op, "infer", marked)
        for kind in list(vars(ndl.ops).values()):
            if isinstance(kind, type) and issubclass(kind, ndl.Op):
                patch.setattr(kind, "compute", counting(kind.compute))
        yield counts
