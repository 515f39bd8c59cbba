"""Gradient: summation."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import numerical, random
from hw.hw1.tests.checks import gradients, is_graph_of, node_of, values
from hw.testing import hint, same
from needle.autograd import Tensor
from needle.ops import Summation


@hint("spread(reduced, shape): element of the input <- element of the sum that it went into.")
@pytest.mark.parametrize(
    ("shape", "axes", "einsum"),
    [
        ((2,), None, ",i->i"),
        ((2, 3), None, ",ij->ij"),
        ((2, 3), 0, "j,ij->ij"),
        ((2, 3), (1,), "i,ij->ij"),
        ((2, 2), 1, "i,ij->ij"),
        ((2, 3, 4), (0, 2), "j,ijk->ijk"),
    ],
)
def test_spread(shape, axes, einsum):
    reduced = np.asarray(random(*np.ones(shape).sum(axis=axes).shape, seed=3))
    found = Summation(axes).spread(Tensor(reduced), shape)
    expected = np.einsum(einsum, reduced, np.ones(shape))
    mistakes = {"it was broadcast along the other axis": reduced + np.zeros(shape) if shape == (2, 2) else None}
    of = f"Summation({axes}).spread(reduced, {shape})"
    same(values(found), expected, of=of, given={"reduced": reduced}, mistakes=mistakes)


@hint("Every element enters the sum with weight 1: each gets the same adjoint.")
@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 3, 4)])
def test_sum_of_everything(shape):
    a, g = random(*shape), np.array(3.0)
    (found,) = gradients(Summation(), a.sum(), g, a)
    mistakes = {
        "out_grad is missing": np.ones(shape),
        "it is divided by the number of elements, as for a mean": np.full(shape, 3 / a.size),
        "it is multiplied by a": 3 * a,
        "this is the sum itself": np.full(shape, 3 * a.sum()),
    }
    same(found, np.full(shape, 3.0), of="the gradient of a in sum(a)", given={"a": a, "out_grad": g}, mistakes=mistakes)


@hint("Reshape out_grad so that the summed axes are there again, with extent 1, and broadcast it.")
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((2, 3), 0), ((2, 3), 1), ((2, 2), 1), ((2, 3), (0, 1)), ((2, 3), -1), ((2, 3, 4), (0, 2)), ((3, 3, 3), (-2,))],
)
def test_sum_over_axes(shape, axes):
    a = random(*shape)
    g = np.asarray(random(*a.sum(axes).shape, seed=1))
    (found,) = gradients(Summation(axes), a.sum(axes), g, a)
    expected = numerical(lambda a: a.sum(axes), g, a)[0]
    wrong = g + np.zeros(shape) if g.ndim and shape[-1] == g.shape[-1] and expected.ndim > g.ndim else None
    mistakes = {"it was broadcast along the wrong axis": wrong, "out_grad is missing": np.ones(shape)}
    given = {"a": a, "out_grad": g}
    same(found, expected, of=f"the gradient of a in sum(a, {axes})", given=given, mistakes=mistakes)


@hint("With keepdims, out_grad has the summed axes already.")
@pytest.mark.parametrize(("shape", "axes"), [((2, 3), 1), ((2, 3), None), ((2, 3, 4), (0, 2))])
def test_sum_that_keeps_axes(shape, axes):
    a = random(*shape)
    y = a.sum(axes, keepdims=True)
    g = random(*y.shape, seed=1)
    (found,) = gradients(Summation(axes, keepdims=True), y, g, a)
    of = f"the gradient of a in sum(a, {axes}, keepdims=True)"
    same(found, g + np.zeros(shape), of=of, given={"a": a, "out_grad": g})


@hint("Reshape and broadcast with the functions of .shape, which make Tensors.")
@pytest.mark.parametrize("axes", [None, 1])
def test_gradients_can_be_differentiated(axes):
    a, g = Tensor(random(2, 3)), Tensor(np.ones(np.ones((2, 3)).sum(axes).shape))
    op = Summation(axes)
    found = op.gradient_as_tuple(g, node_of(op, g.numpy(), a))[0]
    same(is_graph_of(found, g), True, of=f"whether the gradient of {op} is made of out_grad, by operators")
