"""A tangent from a gradient: more inputs, tuples, batches of matrices, float32, second derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw5.tests.checks import Alive, along, constant, node_of
from hw.hw5.tests.test_transposed_twice import Cube, Growth, Pairs, Wave, tangent
from hw.testing import hint, same
from needle import ops
from needle.autograd import Tensor, TensorOp
from needle.modes import modes
from needle.reverse import transposed_twice


class Volume(TensorOp):
    """a b c, with a gradient that is made of the output."""

    def compute(self, a, b, c):
        return a * b * c

    def gradient(self, out_grad, node):
        return tuple(out_grad * node / x for x in node.inputs)


@hint("Any number of inputs: shares and tangents belong together by their place.")
@pytest.mark.parametrize("still", [(), (0,), (1, 2)])
def test_three_inputs(still):
    arrays = [random(2, seed=i, low=0.5) for i in range(3)]
    tangents = [None if i in still else random(2, seed=5 + i) for i in range(3)]
    expected = along(Volume().compute, arrays, tangents)
    found = tangent(Volume(), np.prod(arrays, axis=0), arrays, tangents)
    same(found, expected, of=f"the tangent of a b c, where all but {list(still)} move")


@hint("An op of a TensorTuple: its share is a TensorTuple, and so is its tangent.")
@pytest.mark.parametrize("axis", [0, 1])
def test_tuples(axis):
    op = ops.Stack(axis)
    arrays, moved = [random(2), random(2, seed=1)], [random(2, seed=2), random(2, seed=3)]
    node = node_of(op, np.stack(arrays, axis), ops.make_tuple(*map(Tensor, arrays)))
    found = transposed_twice(op, (ops.make_tuple(*map(constant, moved)),), node)
    same(found, np.stack(moved, axis), of=f"the tangent of Stack({axis})")


@hint("Sums, repetitions, products: shapes that differ, and batches.")
def test_shapes():
    a, b, da = random(2, 3, 4), random(4, 2, seed=1), random(2, 3, 4, seed=2)
    for op, f in (
        (ops.Summation((0, 2)), lambda x: x.sum((0, 2))),
        (ops.Transpose((0, 1)), lambda x: x.swapaxes(0, 1)),
        (ops.LogSumExp(1), lambda x: np.log(np.exp(x).sum(1))),
        (ops.Max(2), lambda x: x.max(2)),
    ):
        same(tangent(op, f(a), [a], [da]), along(f, [a], [da]), of=f"the tangent of {op!r}")
    found = tangent(ops.MatMul(), a @ b, [a, b], [None, random(4, 2, seed=3)])
    same(found, a @ random(4, 2, seed=3), of="the tangent of a batch of matrices times a matrix that moves")


@hint("float32 stays float32.")
def test_dtype():
    a, da = random(3, dtype="float32"), random(3, seed=1, dtype="float32")
    node = node_of(Cube(), a**3, Tensor(a, dtype="float32"))
    found = transposed_twice(Cube(), (constant(da, "float32"),), node)
    same(found, 3 * a**2 * da, of="the tangent of a^3, in float32", dtype="float32", rtol=1e-3)


@hint("Once more, as often as one likes: gradients of gradients of the tangent.")
def test_third_derivatives():
    a, da = random(3), random(3, seed=1)
    x = Tensor(a)
    found = transposed_twice(Growth(), (constant(da),), Growth()(x))
    for order in (2, 3):
        x.grad = None
        found.sum().backward()
        found = x.grad
        same(found, np.exp(a) * da, of=f"the derivative of order {order} of exp, along da", given={"a": a, "da": da})


@hint("A given u of zeros, of ones or of anything is as good; the shares must not be walked with out_grad ones.")
@pytest.mark.parametrize("scale", [0.0, 1.0, -3.0])
def test_it_is_linear_in_the_tangent(scale):
    a, da = random(4), random(4, seed=1)
    found = tangent(Pairs(), Pairs().compute(a), [a], [scale * da])
    same(found, scale * (da[1:] * a[:-1] + a[1:] * da[:-1]), of=f"the tangent of neighbours' products along {scale} da")


@hint("Within no_grad a tangent is still found, as plain data; afterwards the mode is what it was.")
@pytest.mark.parametrize("enabled", [True, False])
def test_modes(enabled):
    from needle import no_grad

    a, da = random(3), random(3, seed=1)
    x = Tensor(a)
    y = Cube()(x)
    if enabled:
        found = transposed_twice(Cube(), (constant(da),), y)
    else:
        with no_grad():
            found = transposed_twice(Cube(), (constant(da),), y)
    same(found, 3 * a * a * da, of="the tangent of a^3")
    same([found.requires_grad, modes.grad_enabled], [enabled, True], of="whether it requires a gradient; and the mode")


@hint("grad is for the leaves of backward. Nothing is left in the inputs, and nothing of u stays.")
def test_what_is_left():
    a, b, da = random(3), random(3, seed=1), random(3, seed=2)
    x, y, t = Tensor(a), Tensor(b), Tensor(da)
    node = Wave()(x, y)
    alive = Alive()
    found = transposed_twice(Wave(), (t, None), node)
    alive(found)
    same(found, np.sin(b) * da, of="the tangent of a sin(b), where a moves")
    same([each.grad is None for each in (x, y, t, node)], [True] * 4, of="whether inputs, tangent, node have no grad")
    same(node.inputs[0] is x and node.inputs[1] is y, True, of="whether the node has its own inputs")
    del found
    same(alive.count(), 0, of="whether the tangent is alive when nobody holds it")
