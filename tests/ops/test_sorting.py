"""Sorting where it is a matter of choice: ties, NaN, signs of zero; and reading at places that are data."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from needle.backend_selection import cpu, cpu_numpy
from needle.batching import run_batched
from needle.forward import push_forward
from tests.autograd.graphs import counted_computations, nd_only, tensor

INF, NAN = float("inf"), float("nan")

AxisError = np.exceptions.AxisError


def gradient(function, values, weights):
    """The gradient at `values` of the outputs, weighted."""
    x = tensor(values, dtype="float64")
    (function(x) * np.array(weights, "float64")).sum().backward()
    return x.grad.numpy().tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8"])
def test_equal_elements_keep_their_order_in_both_directions(dtype, device, mode):
    x = ndl.Tensor([2, 1, 2, 1, 2, 0], dtype=dtype, device=device)
    assert ndl.argsort(x).numpy().tolist() == [5, 1, 3, 0, 2, 4]
    assert ndl.argsort(x, descending=True).numpy().tolist() == [0, 2, 4, 1, 3, 5]
    assert ndl.sort(x).numpy().tolist() == [0, 1, 1, 2, 2, 2]
    assert ndl.sort(x, descending=True).numpy().tolist() == [2, 2, 2, 1, 1, 0]
    assert ndl.sort(x).dtype == ndl.topk(x, 2).dtype == dtype and ndl.argsort(x).dtype == "int64"


def test_of_equal_elements_the_first_has_the_first_gradient():
    values = [1, 0, 1, 1]
    assert gradient(ndl.sort, values, [1, 2, 3, 4]) == [2, 1, 3, 4]
    assert gradient(lambda x: ndl.sort(x, descending=True), values, [1, 2, 3, 4]) == [1, 4, 2, 3]
    assert gradient(lambda x: ndl.topk(x, 2), values, [1, 2]) == [1, 0, 2, 0]


def test_zeros_of_either_sign_are_equal():
    x = tensor([0.0, -0.0, 0.0])
    assert ndl.argsort(x).numpy().tolist() == ndl.argsort(x, descending=True).numpy().tolist() == [0, 1, 2]
    assert np.signbit(ndl.sort(x).numpy()).tolist() == [False, True, False]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_comes_last_in_both_directions(dtype, device, mode):
    x = tensor([NAN, 1, -INF, NAN, INF, 0], dtype=dtype, device=device)
    np.testing.assert_array_equal(ndl.sort(x).numpy(), [-INF, 0, 1, INF, NAN, NAN])
    np.testing.assert_array_equal(ndl.sort(x, descending=True).numpy(), [INF, 1, 0, -INF, NAN, NAN])
    assert ndl.argsort(x).numpy().tolist() == [2, 5, 1, 4, 0, 3]
    assert ndl.argsort(x, descending=True).numpy().tolist() == [4, 1, 5, 2, 0, 3]
    np.testing.assert_array_equal(ndl.topk(x, 5).numpy(), [INF, 1, 0, -INF, NAN])


def test_integers_are_ordered_exactly_to_their_limits():
    for dtype in ("int32", "int64", "uint8"):
        limits = np.iinfo(dtype)
        values = np.array([limits.max - 1, limits.min, limits.max, limits.min + 1], dtype)
        x = ndl.Tensor(values, dtype=dtype)
        assert ndl.argsort(x).numpy().tolist() == [1, 3, 0, 2]
        assert ndl.sort(x, descending=True).numpy().tolist() == sorted(values.tolist(), reverse=True)
    bools = ndl.Tensor([True, False, True], dtype="bool")
    assert ndl.sort(bools).numpy().tolist() == [False, True, True]
    assert ndl.sort(bools, descending=True).numpy().tolist() == [True, True, False]


def test_argsort_sorts_by_take_along_axis():
    x = tensor(np.random.default_rng(0).standard_normal((3, 4, 2)), dtype="float64")
    for axis in (0, 1, -1, None):
        for descending in (False, True):
            order = ndl.argsort(x, axis, descending)
            taken = ndl.take_along_axis(x, order, axis)
            np.testing.assert_array_equal(taken.numpy(), ndl.sort(x, axis, descending).numpy())


def test_sorting_what_is_sorted_computes_the_order_once_each_way():
    x = tensor([3.0, 1.0, 2.0])
    with counted_computations() as counts:
        ndl.sort(x).sum().backward(create_graph=False)
    assert counts["Sort"] == counts["ArgSort"] == counts["PutAlongAxis"] == 1


# Reading at places ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32", "float64"])
def test_indices_are_whole_numbers_of_any_dtype(dtype, device, mode):
    a = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], device=device)
    indices = ndl.Tensor([[2, 0], [1, 1]], dtype=dtype, device=device)
    out = ndl.take_along_axis(a, indices, 1)
    assert out.numpy().tolist() == [[3, 1], [5, 5]] and out.device == device
    out.sum().backward()
    assert a.grad.numpy().tolist() == [[1, 0, 1], [0, 2, 0]] and indices.grad is None


def test_lists_and_arrays_are_indices_and_keep_their_digits():
    a = tensor([[1.0, 2.0], [3.0, 4.0]])
    for indices in ([[-1], [0]], np.array([[1], [-2]]), np.array([[1.0], [0.0]], "float32")):
        assert ndl.take_along_axis(a, indices).numpy().tolist() == [[2], [3]]
    with pytest.raises(IndexError, match="index 16777217 "):  # which is no float32
        ndl.take_along_axis(a, [[2**24 + 1]])


@pytest.mark.parametrize(
    ("values", "indices"), [((1, 3), (4, 2)), ((4, 3), (1, 2)), ((4, 3), (4, 0)), ((1, 3), (0, 2))]
)
def test_the_other_axes_broadcast(values, indices, mode):
    generator = np.random.default_rng(0)
    array, at = generator.standard_normal(values), generator.integers(-3, 3, indices)
    a = tensor(array, dtype="float64")
    out = ndl.take_along_axis(a, at, 1)
    np.testing.assert_array_equal(out.numpy(), np.take_along_axis(array, at, 1))
    out.sum().backward()
    expected = np.zeros((*np.broadcast_shapes(values[:1], indices[:1]), 3))
    for i, j in np.ndindex(expected.shape[0], indices[1]):
        expected[i, at[i % indices[0], j]] += 1
    np.testing.assert_array_equal(a.grad.numpy(), expected.sum(0, keepdims=True) if values[0] == 1 else expected)


@pytest.mark.parametrize("batched", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_values_and_indices_may_each_be_a_batch(batched, axis, device, mode):
    generator = np.random.default_rng(0)
    values, indices = generator.standard_normal((4, 3, 3)), generator.integers(-3, 3, (4, 3, 3))
    whole = [x if b else x[0] for x, b in zip((values, indices), batched)]
    tensors = [ndl.Tensor(x, dtype=x.dtype.name, device=device) for x in whole]
    examples = [[x[i] if b else x for x, b in zip(whole, batched)] for i in range(4)]
    given = run_batched(lambda a, at: ndl.take_along_axis(a, at, axis), tensors, batched, 4)
    np.testing.assert_array_equal(given.numpy(), [np.take_along_axis(*example, axis) for example in examples])
    put = ndl.ops.PutAlongAxis(axis, 3)
    added = run_batched(put, tensors, batched, 4)
    one_by_one = [put(*[ndl.Tensor(x, dtype=x.dtype.name) for x in example]).numpy() for example in examples]
    np.testing.assert_array_equal(added.numpy(), one_by_one)


def test_indices_do_not_move():
    a, at = tensor([1.0, 2.0, 3.0]), tensor([2.0, 0.0])
    out, tangent_of = push_forward(ndl.take_along_axis, [a, at], [None, tensor([1.0, 1.0])])
    assert tangent_of(out) is None
    out, tangent_of = push_forward(ndl.take_along_axis, [a, at], [tensor([1.0, 10.0, 100.0]), tensor([1.0, 1.0])])
    assert tangent_of(out).numpy().tolist() == [100, 1]


A, V, S = tensor(np.ones((2, 3))), tensor([1.0, 2.0]), tensor(1.0)

MISTAKES = {
    "no axis": (lambda: ndl.sort(S), AxisError, r"sort: axis -1 is out of bounds for 0 axes"),
    "argsort axis": (lambda: ndl.argsort(A, 2), AxisError, r"argsort: axis 2 is out of bounds for 2 axes"),
    "topk axis": (lambda: ndl.topk(A, 1, -3), AxisError, r"topk: axis -3 is out of bounds for 2 axes"),
    "take axis": (lambda: ndl.take_along_axis(A, [[0]], 2), AxisError, r"take_along_axis: axis 2 is out of bounds"),
    "k large": (lambda: ndl.topk(A, 4), ValueError, r"topk: k is 4; along axis 1 .*\(2, 3\) has 3 elements"),
    "k negative": (lambda: ndl.topk(A, -1, 0), ValueError, r"topk: k is -1; along axis 0 .*has 2 elements"),
    "k a fraction": (lambda: ndl.topk(A, 1.5), TypeError, "float"),
    "number of axes": (lambda: ndl.take_along_axis(A, [0]), ValueError, r"\(2, 3\) and .*\(1,\) must have the same"),
    "no axis, matrix": (lambda: ndl.take_along_axis(A, [[0]], None), ValueError, r"\(6,\) and .*\(1, 1\) must have"),
    "other axes": (
        lambda: ndl.take_along_axis(A, np.zeros((3, 3), int), 1),
        ValueError,
        r"take_along_axis: values of shape \(2, 3\) and indices of shape \(3, 3\) do not broadcast .* than 1",
    ),
    "fraction": (lambda: ndl.take_along_axis(V, [0.5]), IndexError, r"take_along_axis: .*whole numbers, got 0\.5"),
    "nan": (lambda: ndl.take_along_axis(V, [NAN]), IndexError, r"take_along_axis: .*whole numbers, got nan"),
    "bools": (lambda: ndl.take_along_axis(V, [True]), IndexError, r"take_along_axis: .*not bools; ndl\.where"),
    "a tensor of bools": (
        lambda: ndl.take_along_axis(V, ndl.Tensor([True], dtype="bool")),
        IndexError,
        r"take_along_axis: .*not bools; ndl\.where",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_an_error_at_the_call_that_says_what_is_wrong(name, mode):
    call, kind, said = MISTAKES[name]
    with pytest.raises(kind, match=said):
        call()


@pytest.mark.parametrize(
    ("index", "said"), [(2, "index 2 is"), (-3, "index -3 is"), (0.5, "got 0.5"), (NAN, "got nan")]
)
def test_an_index_outside_is_an_index_error_when_its_value_is_known(index, said, device):
    at = tensor([0, index], device=device)
    values = tensor([1.0, 2.0], device=device)
    with pytest.raises(IndexError, match=f"take_along_axis: .*{said}"):
        ndl.take_along_axis(values, at)
    with ndl.lazy_mode():
        lazy = ndl.take_along_axis(values, at)
    assert lazy.shape == (2,)
    with pytest.raises(IndexError, match=f"take_along_axis: .*{said}"):
        lazy.numpy()


@nd_only
def test_values_and_indices_must_be_on_one_device():
    with pytest.raises(ValueError, match=r"take_along_axis: the values are on cpu\(\), the indices on cpu_numpy\(\)"):
        ndl.take_along_axis(tensor([1.0], device=cpu()), tensor([0], device=cpu_numpy()))


@nd_only
@pytest.mark.parametrize(
    "function", [ndl.sort, ndl.argsort, lambda x: ndl.topk(x, 1), lambda x: ndl.take_along_axis(x, x)]
)
def test_a_compiled_function_says_that_it_cannot_repeat_them(function):
    with pytest.raises(ndl.CompileError, match="reads values"):
        ndl.compile(function)(tensor([0.0, 1.0]))
