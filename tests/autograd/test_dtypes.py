"""Element types in the graph: promotion is visible, numbers are weak, leaves get gradients of their own dtype."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from tests.autograd.graphs import nd_only, np_only, op_names, tensor

BINARY = [
    ndl.add,
    ndl.multiply,
    ndl.divide,
    ndl.power,
    ndl.maximum,
    ndl.minimum,
    ndl.greater,
    lambda a, b: a - b,
    lambda a, b: ndl.where(a, a, b),
    lambda a, b: ndl.stack([a, b]),
    lambda a, b: ndl.concatenate([a, b]),
    lambda a, b: ndl.matmul(a.reshape((1, 2)), b.reshape((2, 1))),
    lambda a, b: a.reshape((1, 2)) @ b.reshape((2, 1)),
]

PROMOTIONS = [
    ("float32", "float64", "float64"),
    ("int32", "float32", "float32"),
    ("int64", "float32", "float32"),
    ("uint8", "float64", "float64"),
    ("bool", "float32", "float32"),
    ("int32", "int64", "int64"),
    ("uint8", "int32", "int32"),
]


@pytest.mark.parametrize(("first", "second", "result"), PROMOTIONS)
@pytest.mark.parametrize("function", [*BINARY[:2], *BINARY[4:6], *BINARY[8:11]])
def test_dtypes_that_differ_are_cast_by_nodes_that_can_be_seen(first, second, result, function, mode):
    for a, b in [(first, second), (second, first)]:
        y = function(tensor([1, 1], dtype=a), tensor([1, 0], dtype=b))
        assert y.dtype == result and y.numpy().dtype == result
        assert op_names(y).count("Cast") == 1


@pytest.mark.parametrize("function", BINARY)
def test_a_leafs_gradient_has_the_leafs_dtype(function, mode):
    a, b = tensor([1.0, 2.0], dtype="float32"), tensor([3.0, 4.0], dtype="float64")
    for x, y in [(a, b), (b, a)]:
        function(x, y).sum().backward()
        for leaf in (a, b):
            assert leaf.grad is None or leaf.grad.dtype == leaf.grad.numpy().dtype == leaf.dtype
        a.grad = b.grad = None


@pytest.mark.parametrize("function", BINARY)
def test_every_node_and_its_adjoint_have_one_dtype(function):
    """A mixed operation is made of casts and of operations on one dtype."""
    a, b = tensor([1.0, 2.0], dtype="float32"), tensor([3.0, 4.0], dtype="float64")
    y = function(a * 1, b * 1)
    for node in ndl.autograd.find_topo_sort([y]):
        if not isinstance(node, ndl.TensorTuple) and len(node.inputs) > 1:
            assert len({x.dtype for x in node.inputs[-2:]}) == 1, node  # the condition of Where is of any dtype


def test_equal_dtypes_add_no_node():
    for dtype in ("float32", "float64", "int64"):
        assert op_names(tensor([1, 2], dtype=dtype) + tensor([1, 2], dtype=dtype)) == ["EWiseAdd"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_take_the_dtype_of_a_float_tensor(dtype, mode):
    a = tensor([1.0, 2.0], dtype=dtype)
    for y in (
        a + 1,
        2.5 * a,
        a / 3,
        1 / a,
        a**2,
        2**a,
        a - True,
        a + np.float64(2),
        ndl.maximum(a, 0.5),
        ndl.clip(a, 0),
    ):
        assert y.dtype == y.numpy().dtype == dtype


def test_casting_and_casting_back_keeps_the_gradients_dtype(mode):
    x = tensor([1.5, 2.5])
    y = x.astype("float64") * 2
    assert y.dtype == "float64"
    y.backward()
    assert x.grad.dtype == "float32" and x.grad.numpy().tolist() == [2, 2]
    assert x.astype("float32") is x


@nd_only
def test_integers_given_without_a_dtype_are_floats():
    x = ndl.Tensor([6])
    (x * x).backward()
    assert x.dtype == x.grad.dtype == "float32" and x.grad.numpy().tolist() == [12]


@np_only
def test_integers_given_without_a_dtype_stay_integers():
    assert ndl.Tensor([6]).dtype == "int64"


def test_integer_tensors_can_be_differentiated_twice(mode):
    x = ndl.Tensor([6])
    (x * x + 3 * x).backward()
    assert x.grad.numpy().tolist() == [15]
    x.grad.backward()
    assert x.grad.numpy().tolist() == [2]


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
def test_tensors_of_any_dtype_can_require_gradients(dtype, mode):
    x, w = tensor([1, 0], dtype=dtype), tensor([0.5, 0.25])
    (x * w).sum().backward()
    assert x.grad.numpy().tolist() == [0.5, 0.25] and w.grad.numpy().tolist() == [1, 0]


def test_an_integer_leaf_gets_fractions_where_its_gradient_has_them(mode):
    x = tensor([4, 9], dtype="int64")
    (x / 4).backward()
    np.testing.assert_allclose(x.grad.numpy(), [0.25, 0.25])
    ndl.sqrt(x.astype("float64")).backward()
    np.testing.assert_allclose(x.grad.numpy(), [0.25, 1 / 6])


@pytest.mark.parametrize(
    "function", [ndl.exp, ndl.sqrt, ndl.tanh, lambda a: a / 2, lambda a: a / a, ndl.mean, ndl.sigmoid]
)
def test_functions_with_fractional_values_make_integers_floats(function, mode):
    y = function(tensor([1, 4], dtype="int32"))
    assert y.dtype.startswith("float") and y.numpy().dtype == y.dtype


@nd_only
def test_integers_that_become_floats_become_float32(mode):
    for function in (ndl.exp, ndl.mean, lambda a: a / 2, lambda a: a + 0.5, lambda a: 0.5**a, ndl.softmax, ndl.var):
        assert function(tensor([1, 4], dtype="int64")).dtype == "float32"


def test_where_of_two_numbers_does_not_take_the_dtype_of_a_boolean_condition(mode):
    condition = tensor([True, False], dtype="bool")
    assert ndl.where(condition, 3, 4).numpy().tolist() == [3, 4]
    assert ndl.where(condition, 0.5, -0.5).numpy().tolist() == [0.5, -0.5]


def test_a_number_with_a_boolean_or_small_integer_tensor_keeps_its_value(mode):
    flags = tensor([True, False], dtype="bool")
    assert (flags + 3).numpy().tolist() == [4, 3]
    assert ndl.maximum(flags, 3).numpy().tolist() == [3, 3]
    assert ndl.where(flags, flags, 3).numpy().tolist() == [1, 3]
    small = tensor([1, 2], dtype="uint8")
    with pytest.raises(OverflowError, match="300"):
        ndl.maximum(small, 300)
    with pytest.raises(OverflowError, match="300"):
        (small + 300).numpy()


def test_comparisons_have_the_dtype_of_their_operands(mode):
    for dtype in ("float32", "float64", "int64"):
        a = tensor([1, 2], dtype=dtype)
        for y in (ndl.equal(a, a), ndl.less(a, 2), ndl.greater_equal(2, a)):
            assert y.dtype == dtype and set(y.numpy().tolist()) <= {0, 1}
