"""Conventions that course code relies on: what `gradient_as_tuple` answers, attributes by keyword, methods."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from tests.autograd.graphs import op_names, tensor
from tests.ops.cases import every_case

BROADCASTING = [ndl.add, ndl.multiply, ndl.divide, ndl.power, ndl.maximum, ndl.minimum]


def draws(*shape: int) -> ndl.Tensor:
    """A float64 leaf of numbers between 0.5 and 2."""
    return tensor(np.random.default_rng(len(shape)).uniform(0.5, 2, shape), dtype="float64")


@every_case
def test_gradient_as_tuple_on_the_result_gives_one_gradient_per_input_of_its_shape(case):
    node = case.function(*case.leaves())
    if isinstance(node, ndl.TensorTuple):
        out_grad = ndl.make_tuple(*[ndl.Tensor(np.ones(x.shape), dtype="float64") for x in node])
    else:
        out_grad = ndl.Tensor(np.ones(node.shape), dtype="float64")
    gradients = node.op.gradient_as_tuple(out_grad, node)
    assert isinstance(gradients, tuple) and len(gradients) == len(node.inputs)
    for x, gradient in zip(node.inputs, gradients):
        assert gradient is None or (isinstance(gradient, ndl.Value) and gradient.shape == x.shape)


@pytest.mark.parametrize(
    ("left", "right"), [((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((4, 1, 2, 3), (5, 3, 2))]
)
def test_matmul_answers_with_unbroadcast_gradients(left, right):
    a, b = draws(*left), draws(*right)
    out = ndl.matmul(a, b)
    grad_a, grad_b = out.op.gradient_as_tuple(ndl.init.ones(*out.shape, dtype="float64"), out)
    assert grad_a.shape == left and grad_b.shape == right
    out.backward()
    np.testing.assert_allclose(grad_a.numpy(), a.grad.numpy())
    np.testing.assert_allclose(grad_b.numpy(), b.grad.numpy())


def test_stack_answers_with_one_tensor_tuple():
    parts = [draws(2, 3) for _ in range(3)]
    out = ndl.stack(parts, 1)
    answer = out.op.gradient_as_tuple(ndl.Tensor(np.arange(18.0).reshape(2, 3, 3), dtype="float64"), out)
    assert len(answer) == 1 and isinstance(answer[0], ndl.TensorTuple) and len(answer[0]) == 3
    np.testing.assert_array_equal(answer[0][1].numpy(), np.arange(18.0).reshape(2, 3, 3)[:, 1])


def test_split_takes_a_tuple_and_answers_with_one_tensor():
    x = draws(2, 3)
    out = ndl.split(x, 1)
    out_grad = ndl.make_tuple(*[ndl.init.constant(2, c=float(i), dtype="float64") for i in range(3)])
    (gradient,) = out.op.gradient_as_tuple(out_grad, out)
    np.testing.assert_array_equal(gradient.numpy(), [[0, 1, 2], [0, 1, 2]])


@pytest.mark.parametrize("function", BROADCASTING)
def test_broadcasting_is_done_by_nodes_whose_gradients_sum_it_back(function):
    a, b = draws(2, 1), draws(3)
    out = function(a, b)
    assert op_names(out)[:-1] == ["BroadcastTo", "BroadcastTo"] and out.shape == (2, 3)
    assert [x.shape for x in out.inputs] == [(2, 3), (2, 3)]
    out.backward()
    assert a.grad.shape == (2, 1) and b.grad.shape == (3,)


@pytest.mark.parametrize("function", BROADCASTING)
def test_equal_shapes_add_no_node(function):
    assert len(op_names(function(draws(2, 3), draws(2, 3)))) == 1


def test_attributes_are_taken_by_keyword():
    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    for given, expected in [
        (ndl.add_scalar(x, scalar=2), [[3, 4], [5, 6]]),
        (ndl.mul_scalar(x, scalar=2), [[2, 4], [6, 8]]),
        (ndl.divide_scalar(x, scalar=2), [[0.5, 1], [1.5, 2]]),
        (ndl.power_scalar(x, scalar=2), [[1, 4], [9, 16]]),
        (ndl.summation(x, axes=0), [4, 6]),
        (ndl.summation(x, axes=(0, 1)), 10),
        (ndl.transpose(x, axes=(0, 1)), [[1, 3], [2, 4]]),
        (ndl.reshape(x, shape=(4,)), [1, 2, 3, 4]),
        (ndl.broadcast_to(x, shape=(1, 2, 2)), [[[1, 2], [3, 4]]]),
        (ndl.flip(x, axes=(1,)), [[2, 1], [4, 3]]),
        (ndl.stack([x, x], axis=0)[0], [[1, 2], [3, 4]]),
        (ndl.split(x, axis=1)[0], [1, 3]),
        (ndl.dilate(x, axes=(1,), dilation=1), [[1, 0, 2, 0], [3, 0, 4, 0]]),
        (ndl.undilate(x, axes=(0,), dilation=1), [[1, 2]]),
        (ndl.tuple_get_item(ndl.fused_add_scalars(x, c0=1, c1=2), index=1), [[3, 4], [5, 6]]),
    ]:
        np.testing.assert_array_equal(given.numpy(), expected)


def test_methods_are_the_functions():
    x = draws(2, 3)
    for given, expected in [
        (x.sum(), ndl.summation(x)),
        (x.sum(0), ndl.summation(x, 0)),
        (x.sum(axes=(0, 1)), ndl.summation(x, (0, 1))),
        (x.mean(1), ndl.mean(x, 1)),
        (x.max(1), ndl.max(x, 1)),
        (x.min(0), ndl.min(x, 0)),
        (x.reshape((3, 2)), ndl.reshape(x, (3, 2))),
        (x.reshape(3, 2), ndl.reshape(x, (3, 2))),
        (x.reshape(shape=[3, 2]), ndl.reshape(x, (3, 2))),
        (x.reshape(-1), ndl.reshape(x, (-1,))),
        (x.broadcast_to((4, 2, 3)), ndl.broadcast_to(x, (4, 2, 3))),
        (x.transpose(), ndl.transpose(x)),
        (x.transpose((0, 1)), ndl.transpose(x, (0, 1))),
        (x.matmul(x.transpose()), ndl.matmul(x, ndl.transpose(x))),
        (x.astype("float32"), ndl.cast(x, "float32")),
    ]:
        assert repr(given.op) == repr(expected.op)
        np.testing.assert_array_equal(given.numpy(), expected.numpy())


def test_matmul_takes_batches_and_arrays():
    a = tensor(np.arange(12.0).reshape(2, 2, 3))
    b = np.arange(6.0, dtype="float32").reshape(3, 2)
    for product in (a @ b, ndl.matmul(a, b)):
        np.testing.assert_allclose(product.numpy(), a.numpy() @ b)
    np.testing.assert_allclose((b @ a).numpy(), b @ a.numpy())


def test_op_classes_take_the_courses_arguments():
    ops = ndl.ops
    x = tensor(np.arange(6.0).reshape(2, 3))
    for op in (ops.EWiseAdd(), ops.EWiseMul(), ops.EWisePow(), ops.EWiseDiv()):
        assert op(x, x + 1).shape == (2, 3)
    for kind in (ops.AddScalar, ops.MulScalar, ops.PowerScalar, ops.DivScalar):
        assert kind(2)(x).shape == kind(scalar=2)(x).shape == (2, 3)
    for op in (ops.Negate(), ops.Log(), ops.Exp(), ops.ReLU(), ops.Tanh(), ops.LogSoftmax(), ops.Flip((0,))):
        assert op(x + 1).shape == (2, 3)
    for op, shape in [
        (ops.Transpose(), (3, 2)),
        (ops.Transpose((0, 1)), (3, 2)),
        (ops.Reshape((6,)), (6,)),
        (ops.BroadcastTo((2, 2, 3)), (2, 2, 3)),
        (ops.Summation(), ()),
        (ops.Summation(axes=(0,)), (3,)),
        (ops.LogSumExp(), ()),
        (ops.LogSumExp(axes=(1,)), (2,)),
        (ops.Dilate((0,), 1), (4, 3)),
        (ops.UnDilate((0,), 1), (1, 3)),
        (ops.Split(0), ((3,), (3,))),
    ]:
        assert op(x).shape == shape
    assert ops.MatMul()(x, ops.Transpose()(x)).shape == (2, 2)
    assert ops.Stack(0)(ndl.make_tuple(x, x)).shape == (2, 2, 3)
