"""A tangent from nothing but the gradient of an operator."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw5.tests.checks import along, constant, is_graph_of, node_of, values
from hw.testing import hint, same
from needle import ops
from needle.autograd import Op, Tensor, TensorOp
from needle.reverse import transposed_twice


def tangent(op, output, arrays, tangents, requires_grad=True):
    """What transposed_twice gives, as an array."""
    inputs = [Tensor(x, dtype="float64", requires_grad=requires_grad) for x in arrays]
    given = tuple(None if t is None else constant(t) for t in tangents)
    return values(transposed_twice(op, given, node_of(op, output, *inputs)))


class Triple(TensorOp):
    """3 a."""

    def compute(self, a):
        return 3 * a

    def gradient(self, out_grad, node):
        return out_grad * 3


class Cube(TensorOp):
    """a^3."""

    def compute(self, a):
        return a**3

    def gradient(self, out_grad, node):
        (a,) = node.inputs
        return out_grad * 3 * a * a


class Growth(TensorOp):
    """exp a, whose derivative is itself."""

    def compute(self, a):
        return np.exp(a)

    def gradient(self, out_grad, node):
        return out_grad * node


@hint("u, then J^T u = gradient_as_tuple(u, output), then the derivative of (J^T u) . t by u.")
@pytest.mark.parametrize("op", [Triple(), Cube(), Growth()])
@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_one_input(op, shape):
    a, da = random(*shape), random(*shape, seed=1)
    expected = along(op.compute, [a], [da])
    mistakes = {
        "u itself is there": np.zeros(shape),
        "this is the derivative alone": along(op.compute, [a], [np.ones(shape)]),
    }
    of = f"the tangent of {op.__doc__.partition(',')[0].rstrip('.')}"
    same(tangent(op, op.compute(a), [a], [da]), expected, of=of, given={"a": a, "da": da}, mistakes=mistakes)


class Pairs(TensorOp):
    """The products of neighbours: of n numbers, n - 1."""

    def compute(self, a):
        return a[1:] * a[:-1]

    def gradient(self, out_grad, node):
        (a,) = node.inputs
        zero = constant([0.0])
        right, left = out_grad * a[1:], out_grad * a[:-1]
        return ops.concatenate((right, zero), 0) + ops.concatenate((zero, left), 0)


@hint("u has the shape of the output, t that of the input: where they differ, J is no square matrix.")
@pytest.mark.parametrize("n", [2, 3, 5])
def test_jacobians_that_are_not_square(n):
    a, da = random(n), random(n, seed=1)
    op = Pairs()
    expected = da[1:] * a[:-1] + a[1:] * da[:-1]
    of = "the tangent of the products of neighbours"
    same(tangent(op, op.compute(a), [a], [da]), expected, of=of, given={"a": a, "da": da})


class Wave(TensorOp):
    """a sin b."""

    def compute(self, a, b):
        return a * np.sin(b)

    def gradient(self, out_grad, node):
        a, b = node.inputs
        return out_grad * ops.sin(b), out_grad * a * ops.cos(b)


@hint("(J^T u) . t has a term for each input that moves: its share with its tangent.")
@pytest.mark.parametrize("moves", ["a and b", "a", "b"])
def test_two_inputs(moves):
    a, b, da, db = (random(3, seed=i) for i in range(4))
    tangents = [da if moves != "b" else None, db if moves != "a" else None]
    expected = along(Wave().compute, [a, b], tangents)
    given = {"a": a, "b": b, "da": tangents[0], "db": tangents[1]}
    found = tangent(Wave(), Wave().compute(a, b), [a, b], tangents)
    same(found, expected, of=f"the tangent of a sin(b), with {moves} moving", given=given)


class Masked(TensorOp):
    """a b, where b has no gradient."""

    def compute(self, a, b):
        return a * b

    def gradient(self, out_grad, node):
        return out_grad * node.inputs[1], None


@hint("No share, no tangent: if nothing is left, the result is None.")
@pytest.mark.parametrize("moves", ["a and b", "a", "b"])
def test_an_input_without_gradient(moves):
    a, b, da = random(3), np.array([1.0, 0.0, 1.0]), random(3, seed=1)
    tangents = [da if moves != "b" else None, np.ones(3) if moves != "a" else None]
    expected = None if moves == "b" else da * b
    found = tangent(Masked(), a * b, [a, b], tangents)
    same(found, expected, of=f"the tangent of a b, where b has no gradient, with {moves} moving")


@hint("Some gradients are computed only for an input that requires one. Give the op inputs that do: alias(x, True).")
@pytest.mark.parametrize("moves", [0, 1])
@pytest.mark.parametrize("requires_grad", [True, False])
def test_gradients_that_are_computed_on_demand(moves, requires_grad):
    arrays = [random(2, 3), random(3, 2, seed=1)]
    tangents = [random(*x.shape, seed=2) if i == moves else None for i, x in enumerate(arrays)]
    found = tangent(ops.MatMul(), np.matmul(*arrays), arrays, tangents, requires_grad)
    of = f"the tangent of a @ b, where {'ab'[moves]} moves and both require {'a' if requires_grad else 'no'} gradient"
    same(found, along(np.matmul, arrays, tangents), of=of)


@hint("An op without a forward rule gets this one: Op.jvp calls it.")
@pytest.mark.parametrize("op", [Cube(), Growth()])
def test_the_rule_of_an_op_without_one(op):
    a, da = random(2), random(2, seed=1)
    node = node_of(op, op.compute(a), Tensor(a))
    same(Op.jvp(op, (constant(da),), node), along(op.compute, [a], [da]), of=f"{type(op).__name__}().jvp")


@hint("The result is differentiated through inputs and output of the op: all of it is made of Tensors.")
@pytest.mark.parametrize(("op", "second"), [(Cube(), lambda a: 6 * a), (Growth(), np.exp)])
def test_the_tangent_can_be_differentiated(op, second):
    a, da = random(3), random(3, seed=1)
    x, t = Tensor(a), Tensor(da)
    found = transposed_twice(op, (t,), op(x))
    same(is_graph_of(found, x, t), True, of="whether the tangent is made of the input and its tangent, by operators")
    found.sum().backward()
    same(x.grad, second(a) * da, of="the gradient of the sum of the tangent by the input", given={"a": a, "da": da})
    slope = along(op.compute, [a], [np.ones(3)])
    same(t.grad, slope, of="and by the given tangent", given={"a": a, "da": da})


@hint(
    "keeping_graph(True) is for the share alone; the result is in a graph only if an input or a tangent requires one."
)
@pytest.mark.parametrize("op", [Triple(), Cube()])
def test_plain_data_where_nobody_differentiates(op):
    a, da = random(3), random(3, seed=1)
    x = constant(a)
    node = node_of(op, op.compute(a), x)
    found = transposed_twice(op, (constant(da),), node)
    same(
        [found.requires_grad, found.op is None], [False, True], of="whether the tangent requires a gradient, is a leaf"
    )
    same([x.requires_grad, x.grad is None], [False, True], of="whether the input is as it was")
    same(node.op is op and node.inputs[0] is x, True, of="whether the node is as it was")
