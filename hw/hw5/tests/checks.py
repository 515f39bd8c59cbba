"""What the tests share: nodes made by hand, derivatives along a direction, what stays alive."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hw.hw1.tests.checks import is_graph_of, node_of, values
from needle.autograd import Op, Tensor

__all__ = ["Alive", "along", "constant", "is_graph_of", "node_of", "tangent", "values"]


def constant(array: Any, dtype: str = "float64") -> Tensor:
    """A Tensor that needs no gradient."""
    return Tensor(array, dtype=dtype, requires_grad=False)


def along(
    f: Callable[..., Any], arrays: Sequence[np.ndarray], tangents: Sequence[Any], step: float = 1e-6
) -> np.ndarray:
    """The derivative of ``f(*arrays)`` along the tangents: (f(x + h t) - f(x - h t)) / 2h. None does not move."""

    def moved(h: float) -> Any:
        return f(*[np.asarray(x + (0 if t is None else h * t)) for x, t in zip(arrays, tangents)])

    return np.asarray((moved(step) - moved(-step)) / (2 * step))


def tangent(op: Op, output: Any, arrays: Sequence[np.ndarray], tangents: Sequence[Any]) -> Any:
    """What ``op.jvp`` gives, for tangents that are arrays or None."""
    inputs = [Tensor(x, dtype=x.dtype.name) for x in arrays]
    return op.jvp(
        tuple(None if t is None else constant(t, t.dtype.name) for t in tangents), node_of(op, output, *inputs)
    )


class Alive:
    """Counts which of the Tensors that it was shown are alive."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __call__(self, tensor: Tensor) -> Tensor:
        """Look at a Tensor, and give it back."""
        self.seen.append(weakref.ref(tensor))
        return tensor

    def count(self) -> int:
        """How many of them are alive now."""
        gc.collect()
        return sum(each() is not None for each in self.seen)
