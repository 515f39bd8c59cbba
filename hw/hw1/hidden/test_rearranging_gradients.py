"""Gradients of reshape and transpose, with care."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw1.tests.checks import gradients
from hw.testing import hint, same
from needle.ops import Reshape, Transpose


@hint("Also to and from no axes at all, and without elements.")
@pytest.mark.parametrize(
    ("shape", "new"), [((), (1, 1)), ((1, 1), ()), ((2, 0), (0, 5)), ((2, 6), (3, -1, 2)), ((4, 3, 2), 24)]
)
def test_reshape_of_any_shape(shape, new):
    a = random(*shape)
    y = a.reshape(new)
    g = random(*y.shape, seed=1)
    op = Reshape((new,) if isinstance(new, int) else new)
    same(gradients(op, y, g, a)[0], np.array(list(g.flat)).reshape(shape), of=f"the gradient of {op} of {shape}")


@hint("With five axes, only the two that were swapped move; an axis can count from the end.")
@pytest.mark.parametrize("axes", [None, (1, 3), (3, 1), (-5, 4), (-2, -4)])
def test_transpose_of_five_axes(axes):
    first, second = axes or (3, 4)
    a = random(2, 3, 4, 2, 3)
    g = random(*a.swapaxes(first, second).shape, seed=1)
    order = list(range(5))
    order[first], order[second] = order[second], order[first]
    expected = np.einsum(g, order, list(range(5)))
    (found,) = gradients(Transpose(axes), a.swapaxes(first, second), g, a)
    same(found, expected, of=f"the gradient of {Transpose(axes)}")


@hint("float32 stays float32, and without elements there is a gradient, too.")
@pytest.mark.parametrize("shape", [(2, 3), (0, 3), (4, 0, 1)])
def test_dtypes_are_kept(shape):
    a = random(*shape, dtype="float32")
    g = random(*a.swapaxes(-1, -2).shape, seed=1, dtype="float32")
    found = gradients(Transpose(), a.swapaxes(-1, -2), g, a)[0]
    same(found, g.swapaxes(-1, -2), of="the gradient of transpose", dtype="float32")
    g = g.ravel()
    found = gradients(Reshape((a.size,)), a.ravel(), g, a)[0]
    same(found, g.reshape(shape), of="the gradient of reshape", dtype="float32")
