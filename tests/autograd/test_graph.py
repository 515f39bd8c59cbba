"""Nodes: what they hold, what makes them, what the graph of an expression looks like."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle.autograd import Op, Tensor, TensorOp, TensorTuple, TensorTupleOp, Value
from needle.backend_selection import array_api
from tests.autograd.graphs import live_values, nd_only, np_only, op_names, tensor


def test_a_node_holds_its_op_its_inputs_and_its_data():
    a, b = tensor([1.0, 2.0]), tensor([3.0, 4.0])
    c = a * b
    assert isinstance(c.op, ndl.ops.EWiseMul)
    assert c.inputs == (a, b)
    assert c.requires_grad and not c.is_leaf()
    np.testing.assert_array_equal(c.numpy(), [3, 8])
    assert c.realize_cached_data() is c.cached_data


def test_a_leaf_has_no_op_and_no_inputs():
    a = tensor([1.0])
    assert a.is_leaf() and a.op is None and a.inputs == () and a.grad is None


A, B = (lambda: tensor([[1.0, 2.0], [3.0, 4.0]])), (lambda: tensor([[5.0, 6.0], [7.0, 8.0]]))

EXPRESSIONS: list[tuple[Any, list[str]]] = [
    (lambda a, b: a + b, ["EWiseAdd"]),
    (lambda a, b: a - b, ["Negate", "EWiseAdd"]),
    (lambda a, b: a * b, ["EWiseMul"]),
    (lambda a, b: a / b, ["EWiseDiv"]),
    (lambda a, b: a**b, ["EWisePow"]),
    (lambda a, b: a @ b, ["MatMul"]),
    (lambda a, b: a.matmul(b), ["MatMul"]),
    (lambda a, b: -a, ["Negate"]),
    (lambda a, b: a + 2, ["AddScalar"]),
    (lambda a, b: 2 + a, ["AddScalar"]),
    (lambda a, b: a - 2, ["AddScalar"]),
    (lambda a, b: 2 - a, ["Negate", "AddScalar"]),
    (lambda a, b: a * 3, ["MulScalar"]),
    (lambda a, b: 3 * a, ["MulScalar"]),
    (lambda a, b: a / 2, ["DivScalar"]),
    (lambda a, b: a**2, ["PowerScalar"]),
    (lambda a, b: a + np.array([2.0]), ["AddScalar"]),
    (lambda a, b: np.float32(3) * a, ["MulScalar"]),
    (lambda a, b: a.sum(), ["Summation"]),
    (lambda a, b: a.reshape((4,)), ["Reshape"]),
    (lambda a, b: a.broadcast_to((3, 2, 2)), ["BroadcastTo"]),
    (lambda a, b: a.transpose(), ["Transpose"]),
    (lambda a, b: a + b.sum(0), ["Summation", "BroadcastTo", "EWiseAdd"]),
    (
        lambda a, b: a.sum((0,), keepdims=True) * b.sum((1,), keepdims=True),
        ["Summation", "BroadcastTo"] * 2 + ["EWiseMul"],
    ),
    (lambda a, b: ndl.matmul(a, b.broadcast_to((3, 2, 2))), ["BroadcastTo", "MatMul"]),
    (lambda a, b: ndl.stack([a, b], 0), ["MakeTensorTuple", "Stack"]),
    (lambda a, b: ndl.split(a, 0)[1], ["Split", "TupleGetItem"]),
    (lambda a, b: a[0], ["GetItem"]),
]


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS)
def test_the_graph_of_an_expression_is_the_documented_one(expression, expected, mode):
    assert op_names(expression(A(), B())) == expected


def test_subtracting_a_number_adds_its_negative():
    assert (A() - 2).op.scalar == -2


def test_operators_and_functions_give_the_same_values_on_both_sides_of_a_number():
    a = tensor([2.0, 4.0])
    for given, expected in [
        (5 - a, [3, 1]),
        (a - 5, [-3, -1]),
        (8 / a, [4, 2]),
        (a / 8, [0.25, 0.5]),
        (3**a, [9, 81]),
        (a**3, [8, 64]),
        (np.array([1.0, 2.0]) - a, [-1, -2]),
        ([1.0, 2.0] * a, [2, 8]),
        (np.float64(10) / a, [5, 2.5]),
        (np.eye(2) @ a.reshape((2, 1)), [[2], [4]]),
    ]:
        np.testing.assert_allclose(given.numpy(), expected)


def test_an_operator_with_something_that_is_no_number_is_a_type_error():
    for other in ("2", None, {}):
        with pytest.raises(TypeError):
            A() + other


def test_calling_an_op_makes_the_node_that_make_from_op_makes():
    a = tensor([1.0, 2.0])
    op = ndl.ops.AddScalar(1)
    for node in (op(a), Tensor.make_from_op(op, (a,))):
        assert type(node) is Tensor and node.op is op and node.inputs == (a,)
        np.testing.assert_array_equal(node.numpy(), [2, 3])


def test_make_const_wraps_an_array_without_copying():
    array = array_api.array([1.0, 2.0])
    constant = Tensor.make_const(array)
    assert constant.cached_data is array and not constant.requires_grad
    assert Tensor.make_const(array, requires_grad=True).requires_grad
    assert Tensor.make_const(constant).cached_data is array
    pair = TensorTuple.make_const((array, array))
    assert pair.cached_data == (array, array) and type(pair) is TensorTuple


def test_an_eager_node_that_needs_no_gradient_keeps_no_graph():
    a, b = tensor([1.0], requires_grad=False), tensor([2.0], requires_grad=False)
    c = a * b
    assert c.op is None and c.inputs == () and not c.requires_grad
    d = c * tensor([3.0])
    assert d.requires_grad and d.inputs[0] is c


def test_a_node_requires_a_gradient_if_one_of_its_inputs_does():
    a, b = tensor([1.0]), tensor([2.0], requires_grad=False)
    assert (a * b).requires_grad and (b * a).requires_grad
    a.requires_grad = False
    assert not (a * b).requires_grad


def test_tensors_compare_and_hash_by_identity():
    a, b = tensor([1.0, 2.0]), tensor([1.0, 2.0])
    assert a == a and a != b
    assert [a, b] == [a, b] and [a, b] != [b, a] and (a, b) == (a, b)
    assert b in [a, b] and [a, b].index(b) == 1
    assert {a: 1, b: 2}[b] == 2 and len({a, b, a}) == 2


class TestTensorTuple:
    def test_reads_as_a_sequence_of_tensors(self):
        a, b = tensor([1.0]), tensor([[2.0, 3.0]])
        pair = ndl.make_tuple(a, b)
        assert isinstance(pair, TensorTuple) and isinstance(pair, Value)
        assert len(pair) == 2 and pair.shape == ((1,), (1, 2))
        assert isinstance(pair[0], Tensor) and pair[-1].shape == (1, 2)
        assert [x.shape for x in pair] == [(1,), (1, 2)]
        assert [x.shape for x in pair.tuple()] == [(1,), (1, 2)]
        assert [x.tolist() for x in pair.numpy()] == [[1.0], [[2.0, 3.0]]]

    def test_an_index_outside_it_is_an_index_error(self):
        pair = ndl.make_tuple(tensor([1.0]), tensor([2.0]))
        for index in (2, -3):
            with pytest.raises(IndexError, match=f"index {index} .* tuple of 2"):
                pair[index]

    def test_adds_element_by_element(self):
        total = ndl.make_tuple(tensor([1.0]), tensor([2.0])) + ndl.make_tuple(tensor([10.0]), tensor([20.0]))
        assert [x.tolist() for x in total.numpy()] == [[11.0], [22.0]]
        with pytest.raises(TypeError, match="TensorTuple of 2"):
            total + ndl.make_tuple(tensor([1.0]))

    def test_detached_it_has_the_same_data_and_no_graph(self, mode):
        pair = ndl.fused_add_scalars(tensor([1.0]), 2, 3)
        detached = pair.detach()
        assert not detached.requires_grad and not detached[0].requires_grad
        assert [x.tolist() for x in detached.numpy()] == [[3.0], [4.0]]

    def test_repr_names_the_op_and_the_shapes(self):
        text = repr(ndl.fused_add_scalars(tensor([1.0]), 2, 3))
        assert "TensorTuple" in text and "(1,)" in text and "FusedAddScalars(c0=2, c1=3)" in text


class TestRepr:
    def test_of_a_node_shows_shape_dtype_values_and_op(self):
        text = repr(tensor([[1.0, 2.0]]) * 3)
        for part in ("Tensor", "(1, 2)", "float32", "[3, 6]", "MulScalar(scalar=3)"):
            assert part in text

    def test_of_a_lazy_node_says_so_and_computes_nothing(self):
        with ndl.lazy_mode():
            y = tensor([[1.0, 2.0]]) * 3
        for text in (repr(y), str(y)):
            assert "(1, 2)" in text and "MulScalar(scalar=3)" in text and "lazy" in text
        assert y.cached_data is None

    def test_of_a_large_tensor_is_short(self):
        assert len(repr(ndl.init.zeros(1000, 1000))) < 100

    def test_printing_shows_all_values_as_numpy_does(self):
        x = tensor([[1.0, 2.5], [3.0, 4.0]])
        assert str(x) == str(x.numpy())

    def test_of_a_scalar_and_of_nothing(self):
        assert "()" in repr(tensor(1.5)) and "1.5" in repr(tensor(1.5))
        assert "(0, 2)" in repr(tensor(np.zeros((0, 2))))

    def test_of_an_op_shows_its_attributes(self):
        assert repr(ndl.ops.Summation((0, 1))) == "Summation(axes=(0, 1), keepdims=False)"
        assert repr(ndl.ops.EWiseAdd()) == "EWiseAdd()"


class TestTensorCounter:
    def test_counts_the_values_that_are_alive(self):
        before = live_values()
        a = tensor([1.0, 2.0])
        b = ndl.make_tuple(a * 2, a)
        assert live_values() - before == 3
        del a, b
        assert live_values() == before

    def test_does_not_touch_other_objects(self):
        class Short: ...

        short = Short()
        dead = weakref.proxy(short)
        del short
        assert live_values() >= 0
        with pytest.raises(ReferenceError):
            dead.attribute  # noqa: B018

    def test_a_graph_goes_away_with_its_output(self):
        before = live_values()
        x = tensor([1.0, 2.0])
        y = ndl.exp(x * 2 + 1).sum()
        del y
        assert live_values() - before == 1


class TestOpContract:
    def test_gradient_as_tuple_always_gives_a_tuple(self):
        a, b = tensor([1.0, 2.0]), tensor([3.0, 4.0])
        ones = tensor([1.0, 1.0])
        one, two = -a, a * b
        assert len(one.op.gradient_as_tuple(ones, one)) == 1
        grads = two.op.gradient_as_tuple(ones, two)
        assert isinstance(grads, tuple) and [g.numpy().tolist() for g in grads] == [[3, 4], [1, 2]]

    def test_a_gradient_given_as_a_list_becomes_a_tuple(self):
        class Twice(TensorOp):
            def compute(self, a):
                return a + a

            def gradient(self, out_grad, node):
                return [out_grad * 2]

        y = Twice()(tensor([1.0]))
        assert isinstance(y.op.gradient_as_tuple(tensor([1.0]), y), tuple)

    def test_a_gradient_of_the_wrong_shape_is_named(self):
        class Wrong(TensorOp):
            def compute(self, a, b):
                return a * b

            def gradient(self, out_grad, node):
                return out_grad, out_grad.sum()

        y = Wrong()(tensor([1.0, 2.0]), tensor([1.0, 2.0]))
        with pytest.raises(ValueError, match=r"Wrong.gradient.*input 1 has shape \(\).*shape \(2,\)"):
            y.backward()

    def test_a_wrong_number_of_gradients_is_named(self):
        class Short(TensorOp):
            def compute(self, a, b):
                return a * b

            def gradient(self, out_grad, node):
                return out_grad

        with pytest.raises(ValueError, match=r"Short\.gradient gave 1 gradients for 2 inputs"):
            Short()(tensor([1.0]), tensor([1.0])).backward()

    def test_a_gradient_that_is_an_array_is_refused(self):
        class Raw(ndl.TensorOp):
            def compute(self, a):
                return a * 2

            def gradient(self, out_grad, node):
                return out_grad.cached_data * 2

        y = Raw()(tensor([1.0, 2.0]))
        with pytest.raises(TypeError, match=r"Raw\.gradient: the gradient of input 0 must be a Tensor, not a"):
            y.sum().backward()

    def test_an_op_without_a_rule_says_which(self):
        class Bare(TensorOp):
            pass

        class NoGradient(TensorOp):
            def compute(self, a):
                return a

        with pytest.raises(NotImplementedError, match=r"Bare has no compute\(\)"):
            Bare()(tensor([1.0]))
        with pytest.raises(NotImplementedError, match=r"NoGradient has no gradient\(\)"):
            NoGradient()(tensor([1.0])).backward()
        with pytest.raises(NotImplementedError):
            Op()(tensor([1.0]))

    @pytest.mark.parametrize(
        "op", [ndl.ops.EWiseAdd, ndl.ops.EWiseMul, ndl.ops.EWiseDiv, ndl.ops.EWisePow, ndl.ops.Maximum]
    )
    def test_op_objects_take_equal_shapes(self, op):
        with pytest.raises(ValueError, match=rf"{op.__name__}: shapes \(2,\) and \(1, 2\)"):
            op()(tensor([1.0, 2.0]), tensor([[1.0, 2.0]]))

    def test_a_call_of_an_op_gives_the_class_of_value_that_it_makes(self):
        assert type(ndl.ops.Negate()(tensor([1.0]))) is Tensor
        assert type(ndl.ops.Split(0)(tensor([1.0]))) is TensorTuple
        assert issubclass(TensorOp, Op) and issubclass(TensorTupleOp, Op)

    @pytest.mark.parametrize("wrong", [5, 2.0, np.ones(2), None, "x"])
    def test_an_input_that_is_no_tensor_is_a_type_error_that_names_the_op(self, wrong, mode):
        with pytest.raises(TypeError, match=r"Exp.*Tensor"):
            ndl.exp(wrong)


class TestMakingTensors:
    @pytest.mark.parametrize("source", [3.0, 3, [1.0, 2.0], [[1, 2], [3, 4]], np.arange(6).reshape(2, 3)])
    def test_from_numbers_lists_and_arrays(self, source):
        t = ndl.Tensor(source)
        np.testing.assert_array_equal(t.numpy(), np.asarray(source))
        assert t.requires_grad and t.is_leaf()

    def test_the_data_is_copied_from_an_array_and_shared_with_a_tensor(self):
        source = np.array([1.0, 2.0], dtype="float32")
        t = ndl.Tensor(source)
        source[0] = 9
        assert t.numpy()[0] == 1
        assert ndl.Tensor(t).cached_data is t.cached_data
        other = ndl.Tensor(t, dtype="float64")
        assert other.dtype == "float64" and other.is_leaf()

    def test_numpy_gives_a_copy(self):
        t = tensor([1.0, 2.0])
        t.numpy()[0] = 9
        assert t.numpy()[0] == 1

    def test_from_an_array_of_the_library(self):
        assert ndl.Tensor(array_api.array([1.0, 2.0])).numpy().tolist() == [1, 2]

    @nd_only
    def test_float32_is_the_default_whatever_is_given(self):
        for source in (3, [1, 2], np.arange(3), np.ones(2), True):
            assert ndl.Tensor(source).dtype == "float32"

    @np_only
    def test_under_numpy_the_data_keeps_its_dtype(self):
        for source, dtype in [(3, "int64"), ([1.0], "float64"), (np.ones(2, "float32"), "float32"), (True, "bool")]:
            t = ndl.Tensor(source)
            assert t.dtype == dtype and isinstance(t.cached_data, np.ndarray)

    def test_reads_as_a_python_number(self):
        t = tensor([[2.5]])
        assert t.item() == 2.5 and float(t) == 2.5
        with pytest.raises(ValueError):
            tensor([1.0, 2.0]).item()

    def test_reads_as_a_numpy_array(self):
        t = tensor([1.0, 2.0])
        np.testing.assert_array_equal(np.asarray(t), [1, 2])
        assert np.array(t, dtype="float64").dtype == np.float64

    def test_iterates_along_the_first_axis(self):
        assert [row.numpy().tolist() for row in tensor([[1.0, 2.0], [3.0, 4.0]])] == [[1, 2], [3, 4]]
        with pytest.raises(TypeError, match="0-d"):
            iter(tensor(1.0))

    def test_a_device_that_is_not_there_is_refused(self):
        with pytest.raises(ValueError, match=r"cuda.* not available"):
            ndl.Tensor([1.0], device=ndl.cuda())


class TestData:
    def test_detach_and_data_share_the_data_and_have_no_graph(self):
        y = tensor([1.0, 2.0]) * 2
        for x in (y.detach(), y.data):
            assert x.cached_data is y.cached_data and x.is_leaf() and not x.requires_grad

    def test_assigning_data_replaces_it_and_may_change_the_shape(self):
        x = tensor([1.0, 2.0])
        x.data = tensor([[3.0], [4.0], [5.0]])
        assert x.shape == (3, 1) and x.requires_grad
        np.testing.assert_array_equal(x.numpy(), [[3], [4], [5]])

    def test_assigning_data_takes_a_tensor_of_the_same_dtype(self):
        x = tensor([1.0, 2.0])
        with pytest.raises(TypeError, match="takes a Tensor, not ndarray"):
            x.data = np.ones(2)
        with pytest.raises(TypeError, match=r"float32.*float64"):
            x.data = tensor([1.0, 2.0], dtype="float64")
        assert x.numpy().tolist() == [1, 2]
