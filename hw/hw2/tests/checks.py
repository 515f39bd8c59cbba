"""What the tests share: numbers, draws that can be repeated, and derivatives by central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from needle.autograd import Tensor


def random(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0, dtype: str = "float64") -> np.ndarray:
    """Numbers between `low` and `high`, the same in every run; NumPy's global generator is left alone."""
    drawn = np.random.default_rng([seed, *shape]).uniform(low, high, shape)
    return np.asarray(drawn.round(2), dtype=dtype)


def constant(array: Any) -> Tensor:
    """A Tensor that needs no gradient."""
    return Tensor(array, requires_grad=False)


def drawing(seed: int) -> np.random.RandomState:
    """Seed NumPy's global generator, and give another one that draws the same."""
    np.random.seed(seed)
    return np.random.RandomState(seed)


def numerical(f: Callable[..., Any], out_grad: Any, *arrays: np.ndarray, step: float = 1e-6) -> list[np.ndarray]:
    """The derivative of ``sum(out_grad * f(*arrays))`` by each array: central differences in float64."""
    found = []
    for position, array in enumerate(arrays):
        derivative = np.zeros(array.shape)
        for index in np.ndindex(*array.shape):
            sides = []
            for h in (step, -step):
                moved = [np.array(other, dtype=np.float64) for other in arrays]
                moved[position][index] += h
                sides.append(np.sum(np.asarray(f(*moved)) * out_grad))
            derivative[index] = (sides[0] - sides[1]) / (2 * step)
        found.append(derivative)
    return found


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
