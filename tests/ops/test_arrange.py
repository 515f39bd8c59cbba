"""Padding, tiling, rolling, triangles and diagonals: what they keep, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from tests.autograd.graphs import op_names, tensor

INF, NAN = float("inf"), float("nan")

INTEGERS = ["int32", "int64", "uint8"]


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool", "float32", "float64"])
def test_the_dtype_stays(dtype, device, mode):
    x = ndl.Tensor(np.arange(6).reshape(2, 3) % 2, dtype=dtype, device=device)
    for function, reference in [
        (lambda a: ndl.pad(a, 1), lambda a: np.pad(a, 1)),
        (lambda a: ndl.pad(a, 1, 1), lambda a: np.pad(a, 1, constant_values=1)),
        (lambda a: ndl.tile(a, 2), lambda a: np.tile(a, 2)),
        (lambda a: ndl.roll(a, 1), lambda a: np.roll(a, 1)),
        (ndl.tril, np.tril),
        (ndl.triu, np.triu),
        (ndl.diagonal, np.linalg.diagonal),
    ]:
        y = function(x)
        assert y.dtype == dtype
        np.testing.assert_array_equal(y.numpy(), reference(x.numpy()))


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
def test_a_trace_of_integers_is_summed_in_int64(dtype, device):
    x = ndl.Tensor(np.full((3, 3), 1 if dtype == "bool" else 100), dtype=dtype, device=device)
    assert ndl.trace(x).item() == np.linalg.trace(x.numpy().astype("int64"))


def test_a_triangle_is_zero_elsewhere_whatever_was_there(device, mode):
    x = tensor([[1.0, INF], [NAN, -2.0]], device=device)
    np.testing.assert_array_equal(ndl.tril(x, -2).numpy(), np.zeros((2, 2)))
    np.testing.assert_array_equal(ndl.triu(x, 1).numpy(), [[0, INF], [0, 0]])
    ndl.tril(x).backward(tensor([[1.0, NAN], [INF, 2.0]], device=device))
    np.testing.assert_array_equal(x.grad.numpy(), [[1, 0], [INF, 2]])


def test_the_padding_holds_any_number_of_the_dtype():
    for value in (0.1, -INF, NAN, 3):
        y = ndl.pad(tensor([2.0], dtype="float64"), 1, value)
        np.testing.assert_array_equal(y.numpy(), [value, 2, value])


def test_the_padding_has_no_part_in_a_derivative():
    x = tensor([1.0, 2.0])
    ndl.pad(x, (1, 2), 5.0).backward(tensor([10.0, 1.0, 2.0, 30.0, 40.0]))
    np.testing.assert_array_equal(x.grad.numpy(), [1, 2])


def test_the_copies_of_a_tile_add_up_in_its_gradient():
    x = tensor([1.0, 2.0])
    ndl.tile(x, (2, 2)).backward(tensor([[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]]))
    np.testing.assert_array_equal(x.grad.numpy(), [44, 66])
    x.grad = None
    ndl.tile(x, 0).backward(tensor(np.zeros(0)))
    np.testing.assert_array_equal(x.grad.numpy(), [0, 0])


def test_a_shift_wraps_around_as_often_as_it_takes():
    x = tensor([1.0, 2.0, 3.0])
    for shift in (1, -2, 4, 10**20 * 3 + 1):
        np.testing.assert_array_equal(ndl.roll(x, shift).numpy(), [3, 1, 2])


def test_a_tensor_without_axes_takes_one_pair_for_each_of_them():
    for widths in ((), [], 3, (1, 2)):
        assert ndl.pad(tensor(5.0), widths).item() == 5
    with pytest.raises(ValueError, match=r"pad: widths \(\) do not fit a tensor of shape \(2,\)"):
        ndl.pad(tensor([1.0, 2.0]), ())


def test_numpys_numbers_and_arrays_serve_as_options():
    x = tensor(np.arange(6.0).reshape(2, 3))
    for given, expected in [
        (ndl.pad(x, np.array([1, 0])), np.pad(x.numpy(), (1, 0))),
        (ndl.pad(x, [[1], [2]]), np.pad(x.numpy(), [[1], [2]])),
        (ndl.tile(x, np.array([2, 1])), np.tile(x.numpy(), (2, 1))),
        (ndl.roll(x, np.int64(1), np.int64(-1)), np.roll(x.numpy(), 1, -1)),
        (ndl.tril(x, np.int64(1)), np.tril(x.numpy(), 1)),
    ]:
        np.testing.assert_array_equal(given.numpy(), expected)


def test_each_function_makes_one_node():
    x = tensor(np.ones((2, 2)))
    for name, node in [
        ("Pad", ndl.pad(x, 1)),
        ("Tile", ndl.tile(x, 2)),
        ("Roll", ndl.roll(x, 1)),
        ("Tril", ndl.tril(x)),
        ("Triu", ndl.triu(x)),
        ("Diagonal", ndl.diagonal(x)),
        ("Trace", ndl.trace(x)),
    ]:
        assert op_names(node) == [name]


X = tensor(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ndl.pad(X, ((1, 1), (1, 1), (1, 1))), ValueError, r"pad: widths .* do not fit .*shape \(2, 3\)"),
        (lambda: ndl.pad(X, (1, 2, 3)), ValueError, r"pad: widths \(1, 2, 3\) do not fit"),
        (lambda: ndl.pad(X, ((1, 1), 2)), ValueError, r"pad: widths .* do not fit"),
        (lambda: ndl.pad(X, (1, -1)), ValueError, r"pad: widths cannot be negative, got \(1, -1\)"),
        (lambda: ndl.pad(X, 1.5), TypeError, r"pad: widths are ints.*got 1\.5"),
        (lambda: ndl.pad(X, None), TypeError, r"pad: widths are ints.*got None"),
        (lambda: ndl.pad(X, 1, "edge"), TypeError, r"pad: the scalar must be a number.*edge"),
        (lambda: ndl.pad(X.astype("int32"), 1, 0.5), ValueError, r"pad: .*int32 cannot hold the value 0\.5; cast it"),
        (lambda: ndl.tile(X, -1), ValueError, r"tile: reps .*cannot be negative, got -1"),
        (lambda: ndl.tile(X, (1, 1.5)), TypeError, r"tile: reps must be an int or a sequence of ints, got \(1, 1\.5\)"),
        (lambda: ndl.roll(X, 1, 2), ValueError, r"roll: axis 2 is out of bounds for 2 axes"),
        (lambda: ndl.roll(X, (1, 2), (0, 1, 1)), ValueError, r"roll: 2 shifts for 3 axes"),
        (lambda: ndl.roll(X, 0.5), TypeError, r"roll: shift must be an int or a sequence of ints, got 0\.5"),
        (lambda: ndl.roll(X, 1, "x"), TypeError, r"roll: axis must be an int or a sequence of ints, got 'x'"),
        (lambda: ndl.tril(X[0]), ValueError, r"tril: needs a tensor with two axes or more, got one of shape \(3,\)"),
        (lambda: ndl.triu(X[0, 0]), ValueError, r"triu: needs a tensor with two axes or more, got one of shape \(\)"),
        (lambda: ndl.trace(X[0]), ValueError, r"trace: needs a tensor with two axes"),
        (lambda: ndl.diagonal(X[0]), ValueError, r"diagonal: needs a tensor with two axes"),
        (lambda: ndl.tril(X, 0.5), TypeError, r"tril: k is the number of a diagonal, an int; got 0\.5"),
        (lambda: ndl.trace(X, "1"), TypeError, r"trace: offset is the number of a diagonal, an int; got '1'"),
    ],
)
def test_what_does_not_fit_is_an_error_that_says_why(call, error, message, mode):
    with pytest.raises(error, match=message):
        call()
