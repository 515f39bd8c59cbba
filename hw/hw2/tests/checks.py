"""What the tests share: constants, draws that can be repeated, gradients after a walk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from needle.autograd import Tensor


def constant(array: Any) -> Tensor:
    """A Tensor that needs no gradient."""
    return Tensor(array, requires_grad=False)


def drawing(seed: int) -> np.random.RandomState:
    """Seed NumPy's global generator, and give another one that draws the same."""
    np.random.seed(seed)
    return np.random.RandomState(seed)


def gradients(y: Tensor, out_grad: Any, leaves: Sequence[Tensor]) -> list[Any]:
    """The gradients of the leaves after ``y.backward(out_grad)``."""
    for leaf in leaves:
        leaf.grad = None
    y.backward(Tensor(out_grad, requires_grad=False))
    return [None if leaf.grad is None else leaf.grad.numpy() for leaf in leaves]


def fill(parameter: Tensor, array: Any) -> None:
    """Give a parameter other numbers; it stays the same object."""
    parameter.data = Tensor(np.asarray(array), dtype=parameter.dtype, requires_grad=False)


def without_graph(tensor: Tensor) -> bool:
    """Whether nothing hangs behind a tensor."""
    return tensor.op is None and tuple(tensor.inputs) == ()
