"""Gradient of summation, with care."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import numerical, random
from hw.hw1.tests.checks import gradients, values
from hw.testing import hint, same
from needle.autograd import Tensor
from needle.ops import Summation


@hint("No axes, axes of extent 1 or 0, a list of axes, all axes by name: all are sums.")
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((), None),
        ((2, 3), ()),
        ((1, 3), 0),
        ((0, 3), 0),
        ((0, 3), 1),
        ((2, 0), None),
        ((2, 1, 3), (1, 2)),
        ((2, 3, 2, 3), [3, 1]),
        ((2, 3, 2, 3), (-1, -3)),
        ((2, 2, 2), (0, 1, 2)),
    ],
)
@pytest.mark.parametrize("keepdims", [False, True])
def test_any_axes(shape, axes, keepdims):
    a = random(*shape)
    chosen = tuple(axes) if isinstance(axes, list) else axes
    y = np.asarray(np.sum(a, axis=chosen, keepdims=keepdims))
    g = np.asarray(random(*y.shape, seed=1))
    (found,) = gradients(Summation(axes, keepdims), y, g, a)
    expected = numerical(lambda a: np.sum(a, axis=chosen, keepdims=keepdims), g, a)[0]
    same(found, expected, of=f"the gradient of a, of shape {shape}, in sum(a, {axes}, keepdims={keepdims})")


@hint("spread is of use to other reductions, too: it takes what has lost the axes, and what has kept them.")
@pytest.mark.parametrize(
    ("axes", "reduced"), [(1, (2, 4)), (1, (2, 1, 4)), ((0, 2), (3,)), ((0, 2), (1, 3, 1)), (None, ())]
)
def test_spread(axes, reduced):
    r = np.asarray(random(*reduced))
    kept = tuple(1 if axes is None or axis in np.atleast_1d(axes) else extent for axis, extent in enumerate((2, 3, 4)))
    expected = r.reshape(kept) + np.zeros((2, 3, 4))
    found = values(Summation(axes).spread(Tensor(r), (2, 3, 4)))
    same(found, expected, of=f"Summation({axes}).spread(reduced, (2, 3, 4))", given={"reduced": r})


@hint("float32 stays float32.")
@pytest.mark.parametrize("axes", [None, 0, (1,)])
def test_dtypes_are_kept(axes):
    a = random(2, 3, dtype="float32")
    y = np.asarray(a.sum(axes))
    g = np.asarray(random(*y.shape, seed=1), "float32")
    expected = numerical(lambda a: a.sum(axes), g, a.astype("float64"))[0]
    same(gradients(Summation(axes), y, g, a)[0], expected, of=f"the gradient of sum(a, {axes})", dtype="float32")
