"""Gradients: reshape and transpose."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import numerical, random
from hw.hw1.tests.checks import gradients, is_graph_of, node_of
from hw.testing import hint, same
from needle.autograd import Tensor
from needle.ops import Reshape, Transpose


@hint("The adjoint goes back into the shape of the input, node.inputs[0].shape.")
@pytest.mark.parametrize(("shape", "new"), [((2,), (2, 1)), ((2, 3), (6,)), ((2, 3), (3, 2)), ((2, 3, 4), (4, -1))])
def test_reshape(shape, new):
    a = random(*shape)
    g = random(*a.reshape(new).shape, seed=1)
    (found,) = gradients(Reshape(new), a.reshape(new), g, a)
    expected = numerical(lambda a: a.reshape(new), g, a)[0]
    mistakes = {"out_grad was transposed, not reshaped": g.T, "the order is column-major": g.reshape(shape, order="F")}
    of = f"the gradient of a, of shape {shape}, in reshape(a, {new})"
    same(found, expected, of=of, given={"out_grad": g}, mistakes=mistakes)


@hint("Swapping the same two axes again puts them back.")
@pytest.mark.parametrize("shape", [(1, 2), (2, 3), (2, 3, 4)])
def test_transpose(shape):
    a = random(*shape)
    g = random(*a.swapaxes(-1, -2).shape, seed=1)
    (found,) = gradients(Transpose(), a.swapaxes(-1, -2), g, a)
    expected = numerical(lambda a: a.swapaxes(-1, -2), g, a)[0]
    mistakes = {"out_grad was reshaped, not transposed": g.reshape(shape), "out_grad was not swapped back": g}
    same(found, expected, of="the gradient of a in transpose(a)", given={"out_grad": g}, mistakes=mistakes)


@hint("self.axes says which two axes were swapped.")
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((2, 2), (0, 1)), ((2, 3, 4), (0, 1)), ((2, 3, 4), (2, 0)), ((3, 3, 3), (0, 2)), ((2, 3, 4), (-1, 0))],
)
def test_transpose_of_two_axes(shape, axes):
    a = random(*shape)
    g = random(*a.swapaxes(*axes).shape, seed=1)
    (found,) = gradients(Transpose(axes), a.swapaxes(*axes), g, a)
    mistakes = {
        "the last two axes were swapped": g.swapaxes(-1, -2),
        "out_grad was reshaped, not transposed": g.reshape(shape),
        "all axes were reversed": g.transpose(),
    }
    expected = numerical(lambda a: a.swapaxes(*axes), g, a)[0]
    same(found, expected, of=f"the gradient of a in transpose(a, {axes})", given={"out_grad": g}, mistakes=mistakes)


@hint("The functions reshape(out_grad, ...) and transpose(out_grad, ...) make Tensors.")
@pytest.mark.parametrize("op", [Reshape((3, 2)), Transpose()], ids=str)
def test_gradients_can_be_differentiated(op):
    a, g = Tensor(random(2, 3)), Tensor(random(3, 2))
    found = op.gradient_as_tuple(g, node_of(op, np.zeros((3, 2)), a))[0]
    same(is_graph_of(found, g), True, of=f"whether the gradient of {op} is made of out_grad, by operators")
