"""Forward rules of kinds of operators: tuples, float32, what has no gradient, and nothing is changed."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw5.tests.checks import along, constant, node_of, tangent
from hw.testing import hint, same
from needle import ops
from needle.autograd import Tensor, TensorOp
from needle.ops.rules import Elementwise, Multilinear


@hint("What an op was made with is part of it: self(...), not the class anew.")
@pytest.mark.parametrize(("axes", "keepdims"), [((0, 2), False), (-1, True), (None, False)])
def test_reductions_keep_their_axes(axes, keepdims):
    a, da = random(2, 3, 2), random(2, 3, 2, seed=1)
    for op, f in ((ops.Summation(axes, keepdims), np.sum), (ops.Mean(axes, keepdims), np.mean)):
        found = tangent(op, f(a, axis=axes, keepdims=keepdims), [a], [da])
        same(found, f(da, axis=axes, keepdims=keepdims), of=f"the tangent of {op!r}", given={"da": da})


@hint("An input may be a TensorTuple, with a TensorTuple as its tangent; zero_of knows what to do for one, too.")
@pytest.mark.parametrize("axis", [0, 1])
def test_a_tuple_moves(axis):
    arrays, tangents = [random(2, seed=i) for i in range(2)], [random(2, seed=i) for i in range(2, 4)]
    op = ops.Stack(axis)
    node = node_of(op, np.stack(arrays, axis), ops.make_tuple(*map(Tensor, arrays)))
    found = op.jvp((ops.make_tuple(*map(constant, tangents)),), node)
    same(found, np.stack(tangents, axis), of=f"the tangent of Stack({axis})", given={"da": tangents[0]})


class Half(Elementwise, TensorOp):
    """a b, where b has no gradient: a mask."""

    def compute(self, a, b):
        return a * b

    def gradient(self, out_grad, node):
        return out_grad * node.inputs[1], None


@hint("gradient may give None for an input: it contributes nothing. sum_node_list passes over None.")
@pytest.mark.parametrize("moves", ["both", "the mask"])
def test_an_input_without_gradient(moves):
    a, b, da = random(3), np.array([1.0, 0.0, 1.0]), random(3, seed=1)
    found = tangent(Half(), a * b, [a, b], [da if moves == "both" else None, np.ones(3)])
    same(found, da * b if moves == "both" else None, of=f"the tangent of a mask times a, with {moves} moving")


class Quadruple(Multilinear, TensorOp):
    """a b a' b', with the inputs in that order."""

    def compute(self, *xs):
        return np.prod(xs, axis=0)


@hint("A Tensor may be an input twice: what counts is the place, not which Tensor it is.")
@pytest.mark.parametrize("places", [(0,), (1, 3), (0, 1, 2, 3)])
def test_the_same_tensor_in_several_places(places):
    a, da = random(2, low=0.5), random(2, seed=1)
    x, t = Tensor(a), constant(da)
    op = Quadruple()
    found = op.jvp(tuple(t if i in places else None for i in range(4)), node_of(op, a**4, x, x, x, x))
    same(found, len(places) * a**3 * da, of=f"the tangent of a a a a, where the places {places} move")


@hint("float32 stays float32.")
@pytest.mark.parametrize(("op", "f"), [(ops.EWiseMul(), np.multiply), (ops.MatMul(), np.matmul)])
def test_dtype(op, f):
    arrays = [random(2, 2, seed=i, dtype="float32") for i in range(4)]
    found = tangent(op, f(*arrays[:2]), arrays[:2], [arrays[2], None])
    same(found, f(arrays[2], arrays[1]), of=f"the tangent of {op!r}, in float32", dtype="float32")
    found = tangent(ops.Exp(), np.exp(arrays[0]), arrays[:1], arrays[1:2])
    same(found, np.exp(arrays[0]) * arrays[1], of="the tangent of exp, in float32", dtype="float32")


@hint("A matrix for a batch of matrices is broadcast by MatMul; so is its tangent.")
@pytest.mark.parametrize("moves", [0, 1])
def test_batches_of_matrices(moves):
    arrays = [random(3, 2, 4), random(4, 2, seed=1)]
    tangents = [random(*x.shape, seed=2) if i == moves else None for i, x in enumerate(arrays)]
    expected = along(np.matmul, arrays, tangents)
    found = tangent(ops.MatMul(), np.matmul(*arrays), arrays, tangents)
    same(found, expected, of=f"the tangent of a @ b, where {'ab'[moves]} moves", given={"da": tangents[moves]})


@hint("Tangents and inputs are somebody else's: nothing is written into them.")
@pytest.mark.parametrize("op", [ops.EWiseMul(), ops.Negate(), ops.Tanh()])
def test_nothing_is_changed(op):
    count = 2 if isinstance(op, ops.EWiseMul) else 1
    inputs, tangents = ([Tensor(random(3, seed=i + 5 * j)) for i in range(count)] for j in (0, 1))
    before = [x.numpy().copy() for x in (*inputs, *tangents)]
    node = node_of(op, op.compute(*[x.numpy() for x in inputs]), *inputs)
    found = op.jvp(tuple(tangents), node)
    same(isinstance(found, Tensor), True, of="whether the tangent is a Tensor")
    same([x.numpy() for x in (*inputs, *tangents)], before, of="inputs and tangents, afterwards")
    same(
        node.inputs is not None and all(x is y for x, y in zip(node.inputs, inputs)),
        True,
        of="whether node is as it was",
    )
