"""What tests of derivatives need: numbers that are the same in every run, and central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["numerical", "random"]


def random(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0, dtype: str = "float64") -> np.ndarray:
    """Numbers between `low` and `high`, the same in every run; NumPy's global generator is left alone."""
    drawn = np.random.default_rng([seed, *shape]).uniform(low, high, shape)
    return np.asarray(drawn.round(2), dtype=dtype)


def numerical(f: Callable[..., Any], out_grad: Any, *arrays: np.ndarray, step: float = 1e-6) -> list[np.ndarray]:
    """The derivative of ``sum(out_grad * f(*arrays))`` by each array: central differences in float64.

    Element i of it is ``(f(a + h e_i) - f(a - h e_i)) . out_grad / 2h``.
    """
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
