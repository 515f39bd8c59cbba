"""arange and linspace: NumPy's numbers, and ends that are Tensors."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from tests.autograd.graphs import nd_only, tensor


@pytest.mark.parametrize(
    "arguments", [(5,), (0,), (-3,), (2, 5), (5, 2), (5, 2, -1), (0, 1, 0.25), (1.5, -1, -0.5), (0, 2**25 + 1, 2**24)]
)
def test_arange_gives_the_numbers_of_numpy(arguments, device):
    for dtype in ("float32", "float64", "int64"):
        x = ndl.arange(*arguments, device=device, dtype=dtype)
        assert x.dtype == dtype and x.device == device and not x.requires_grad
        np.testing.assert_array_equal(x.numpy(), np.arange(*arguments).astype(dtype))


def test_arange_and_linspace_give_float32_and_no_gradient_by_default():
    for x in (ndl.arange(3), ndl.linspace(0, 1, 3)):
        assert x.dtype == "float32" and not x.requires_grad and x.is_leaf()
    assert ndl.arange(3, requires_grad=True).requires_grad
    assert ndl.linspace(0, 1, 3, requires_grad=True).requires_grad


@pytest.mark.parametrize("endpoint", [True, False])
@pytest.mark.parametrize("num", [0, 1, 2, 7, 50])
def test_linspace_gives_the_numbers_of_numpy(num, endpoint, device):
    for dtype in ("float32", "float64"):
        x = ndl.linspace(-1, 2.5, num, endpoint=endpoint, device=device, dtype=dtype)
        assert x.device == device
        np.testing.assert_array_equal(x.numpy(), np.linspace(-1, 2.5, num, endpoint=endpoint).astype(dtype))
    assert ndl.linspace(0, 1).shape == (50,)


@pytest.mark.parametrize("endpoint", [True, False])
@pytest.mark.parametrize("num", [0, 1, 2, 5])
@pytest.mark.parametrize(("left", "right"), [((), ()), ((2,), (3, 1)), ((2, 3), ())])
def test_linspace_between_tensors_is_that_between_arrays(left, right, num, endpoint, device, mode):
    a, b = np.random.default_rng(0).standard_normal(left), np.random.default_rng(1).standard_normal(right)
    x = ndl.linspace(
        tensor(a, dtype="float64", device=device), tensor(b, dtype="float64", device=device), num, endpoint=endpoint
    )
    assert x.dtype == "float64" and x.device == device and x.requires_grad
    np.testing.assert_allclose(x.numpy(), np.linspace(a, b, num, endpoint=endpoint), rtol=1e-14, atol=1e-15)


def test_linspace_is_differentiable_by_both_ends(mode):
    a, b = tensor([0.0, 1.0], dtype="float64"), tensor(5.0, dtype="float64")
    weights = np.arange(10.0).reshape(5, 2)
    ndl.linspace(a, b, 5).backward(tensor(weights, dtype="float64"))
    w = np.linspace(0, 1, 5)
    np.testing.assert_allclose(a.grad.numpy(), (weights * (1 - w[:, None])).sum(0))
    np.testing.assert_allclose(b.grad.numpy(), (weights * w[:, None]).sum())


def test_linspace_ends_exactly_at_its_ends():
    a, b = np.random.default_rng(0).standard_normal((2, 100)).astype("float32")
    for num in (2, 3, 50):
        x = ndl.linspace(tensor(a), tensor(b), num).numpy()
        np.testing.assert_array_equal(x[0], a)
        np.testing.assert_array_equal(x[-1], b)


def test_linspace_between_a_tensor_and_a_number_has_the_dtype_of_the_tensor():
    for dtype, expected in [("float32", "float32"), ("float64", "float64"), ("int32", "float32")]:
        x = ndl.Tensor(np.array([1, 2]), dtype=dtype)
        for given, numpys in [(ndl.linspace(x, 4, 3), ([1, 2], 4, 3)), (ndl.linspace(0.5, x, 3), (0.5, [1, 2], 3))]:
            np.testing.assert_array_equal(given.numpy(), np.linspace(*numpys))
            assert given.dtype == expected
    assert ndl.linspace(tensor(0.0), 1, 3, dtype="float64").dtype == "float64"


@nd_only
def test_linspace_between_tensors_can_be_compiled():
    step = ndl.compile(lambda a, b: ndl.linspace(a, b, 3) * ndl.arange(3).reshape(3, 1))
    for scale in (1.0, 2.0, 3.0):
        a, b = tensor(np.array([1.0, 2.0]) * scale), tensor(np.array([3.0, 6.0]) * scale)
        np.testing.assert_array_equal(step(a, b).numpy(), np.array([[0, 0], [2, 4], [6, 12]]) * scale)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ndl.arange(tensor(3.0)), TypeError, r"arange: stop must be a number, got Tensor"),
        (lambda: ndl.arange(0, 1, "x"), TypeError, r"arange: step must be a number, got 'x'"),
        (lambda: ndl.arange(0, 1, 0), ValueError, r"arange: a step of 0 never arrives"),
        (
            lambda: ndl.linspace(0, 1, -1),
            ValueError,
            r"linspace: num is how many numbers there are, at least 0; got -1",
        ),
        (lambda: ndl.linspace(0, 1, 2.0), TypeError, r"linspace: num .*an int; got 2\.0"),
        (lambda: ndl.linspace(0, [1, 2]), TypeError, r"linspace: stop must be a number or a Tensor, got \[1, 2\]"),
        (lambda: ndl.linspace(tensor([1.0, 2.0]), tensor(np.ones(3))), ValueError, r"linspace: shapes .* broadcast"),
        (lambda: ndl.linspace(tensor(1.0), 2, device=ndl.cpu()), ValueError, r"linspace: between Tensors device"),
    ],
)
def test_what_does_not_fit_is_an_error_that_says_why(call, error, message):
    with pytest.raises(error, match=message):
        call()
