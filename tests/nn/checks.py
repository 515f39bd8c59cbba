"""Gradients of layers against central differences, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import needle as ndl


def tensor(array: Any, device: Any = None, requires_grad: bool = True) -> Any:
    """A float64 leaf."""
    return ndl.Tensor(np.asarray(array), device=device, dtype="float64", requires_grad=requires_grad)


def check_gradients(f: Callable[[], Any], *leaves: Any, step: float = 1e-5, atol: float = 1e-7) -> None:
    """Compare backward's gradient of ``sum(weights * f())`` with central differences, for every element of `leaves`.

    The weights are fixed and random, so that errors of different elements do not cancel.
    """
    weights = np.random.RandomState(7).randn(*f().shape)
    (f() * tensor(weights, leaves[0].device, requires_grad=False)).sum().backward()
    gradients = [leaf.grad.numpy() for leaf in leaves]
    for leaf, gradient in zip(leaves, gradients):
        original = leaf.numpy()
        expected = np.zeros_like(original)
        for index in np.ndindex(original.shape):
            losses = []
            for sign in (1, -1):
                moved = original.copy()
                moved[index] += sign * step
                leaf.data = tensor(moved, leaf.device)
                losses.append(np.sum(f().numpy() * weights))
            expected[index] = (losses[0] - losses[1]) / (2 * step)
        leaf.data = tensor(original, leaf.device)
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=atol)
