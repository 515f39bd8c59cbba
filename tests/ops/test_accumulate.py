"""Running sums, products and norms: rounding, zeros, kinks, large numbers, empty tensors."""

from __future__ import annotations

import math

import numpy as np
import pytest

import needle as ndl
from tests.autograd.graphs import tensor

INF, NAN = float("inf"), float("nan")


class TestCumSum:
    @pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 1000])
    def test_of_integers_is_exact_for_every_length(self, n, device, mode):
        x = ndl.Tensor(np.arange(2 * n).reshape(n, 2), dtype="int32", device=device)
        for axis in (0, 1):
            y = ndl.cumsum(x, axis)
            assert y.dtype == "int64"
            np.testing.assert_array_equal(y.numpy(), np.cumsum(x.numpy(), axis))

    def test_rounds_less_than_a_loop(self, device):
        x = np.random.default_rng(0).uniform(0, 1, 50_000).astype("float32")
        exact = np.cumsum(x.astype("float64"))
        error = np.abs(ndl.cumsum(tensor(x, device=device), 0).numpy() / exact - 1).max()
        assert error < 1e-6 < np.abs(np.cumsum(x) / exact - 1).max()

    def test_infinity_and_nan_reach_only_what_comes_after(self, device):
        x = tensor([1.0, INF, 1.0, -INF, 1.0], device=device)
        np.testing.assert_array_equal(ndl.cumsum(x, 0).numpy(), [1, INF, INF, NAN, NAN])

    def test_bools_are_counted(self, device):
        x = ndl.Tensor(np.array([True, False, True]), dtype="bool", device=device)
        np.testing.assert_array_equal(ndl.cumsum(x, 0).numpy(), [1, 1, 2])


class TestProd:
    @pytest.mark.parametrize("n", range(10))
    def test_is_that_of_numpy_for_every_length(self, n, device, mode):
        a = np.random.default_rng(n).standard_normal((2, n, 3))
        np.testing.assert_allclose(
            ndl.prod(tensor(a, dtype="float64", device=device), 1).numpy(), np.prod(a, 1), rtol=1e-13
        )

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([2.0, 3.0, 5.0], [15, 10, 6]),
            ([2.0, 0.0, 5.0], [0, 10, 0]),
            ([0.0, 0.0, 5.0], [0, 0, 0]),
            ([7.0], [1]),
            ([0.0], [1]),
            ([0.0, 3.0], [3, 0]),
        ],
    )
    def test_the_gradient_is_exact_with_any_number_of_zeros(self, values, expected, device, mode):
        x = tensor(values, device=device)
        ndl.prod(x).backward()
        np.testing.assert_array_equal(x.grad.numpy(), expected)

    def test_derivatives_of_every_order_are_exact_where_elements_are_0(self):
        """Of x1 x2 x3 x4 at (0, 0, 0, 3): the mixed third derivative by the three zeros is 3, lower ones are 0."""
        x = tensor([0.0, 0.0, 0.0, 3.0], dtype="float64")
        y, found = ndl.prod(x), []
        for i in range(3):
            x.grad = None
            y.backward()
            y = x.grad[i]
            found.append(y.item())
        assert found == [0, 0, 3]

    def test_the_gradient_neither_divides_nor_overflows_on_the_way(self, device):
        x = tensor([1e-30, 1e30, 1e30, 1e-30], device=device)
        ndl.prod(x).backward()
        np.testing.assert_allclose(x.grad.numpy(), [1e30, 1e-30, 1e-30, 1e30], rtol=1e-6)

    def test_integers_are_multiplied_in_int64(self, device):
        for dtype, values in [("int32", [10**9, 10, 10]), ("uint8", [200, 200]), ("bool", [1, 1, 1])]:
            x = ndl.Tensor(np.array(values), dtype=dtype, device=device)
            y = ndl.prod(x)
            assert y.dtype == "int64" and y.item() == math.prod(values)

    def test_an_empty_product_is_one(self, device, mode):
        x = tensor(np.zeros((2, 0)), device=device)
        y = ndl.prod(x, 1)
        np.testing.assert_array_equal(y.numpy(), [1, 1])
        y.backward()
        assert x.grad.shape == (2, 0)

    def test_a_long_product_needs_no_deep_graph(self):
        x = tensor(np.ones(10_000), dtype="float64")
        ndl.prod(x).backward()
        assert len(ndl.autograd.find_topo_sort([x.grad])) < 300
        np.testing.assert_array_equal(x.grad.numpy(), np.ones(10_000))


class TestNorm:
    @pytest.mark.parametrize(("dtype", "scale"), [("float32", 1e30), ("float32", 1e-30), ("float64", 1e-200)])
    def test_the_length_and_its_derivatives_neither_overflow_nor_vanish(self, dtype, scale, device, mode):
        x = tensor(np.array([3.0, -4.0]) * scale, dtype=dtype, device=device)
        y = ndl.norm(x)
        np.testing.assert_allclose(y.numpy(), 5 * scale, rtol=1e-6)
        y.backward()
        first = x.grad
        np.testing.assert_allclose(first.numpy(), [0.6, -0.8], rtol=1e-6)
        x.grad = None
        first[0].backward()
        np.testing.assert_allclose(x.grad.numpy() * scale, [0.64 / 5, 0.48 / 5], rtol=1e-5)

    @pytest.mark.parametrize("order", [1, 2, INF])
    @pytest.mark.parametrize("shape", [(3,), (2, 2), ()])
    def test_at_0_all_derivatives_are_0(self, order, shape, mode):
        x = tensor(np.zeros(shape), dtype="float64")
        y = ndl.norm(x, order)
        for _ in range(3):
            assert not y.numpy().any()
            x.grad = None
            y.sum().backward()
            if x.grad is None:  # of order 1 and inf, the first derivative is piecewise constant
                break
            y = x.grad
        assert not y.numpy().any()

    def test_largest_elements_of_the_maximum_norm_share_the_gradient_with_their_signs(self, mode):
        x = tensor([[3.0, -3.0, 1.0], [0.0, -2.0, 1.0]])
        ndl.norm(x, INF, 1).backward()
        np.testing.assert_array_equal(x.grad.numpy(), [[0.5, -0.5, 0], [0, -1, 0]])

    def test_the_1_norm_has_gradient_0_at_elements_that_are_0(self):
        x = tensor([2.0, 0.0, -1.0])
        ndl.norm(x, 1).backward()
        np.testing.assert_array_equal(x.grad.numpy(), [1, 0, -1])

    @pytest.mark.parametrize("order", [1, 2, INF])
    def test_infinities_and_nan_go_through(self, order, device):
        x = tensor([[1.0, INF], [-INF, INF], [NAN, 1.0]], device=device)
        np.testing.assert_array_equal(ndl.norm(x, order, 1).numpy(), [INF, INF, NAN])

    def test_an_infinite_element_takes_the_gradient_of_finite_ones(self):
        x = tensor([[1.0, -INF], [INF, INF]])
        ndl.norm(x, 2, 1).backward()
        np.testing.assert_allclose(x.grad.numpy(), [[0, -1], [0.5**0.5, 0.5**0.5]], atol=1e-37)

    @pytest.mark.parametrize("order", [1, 2, INF])
    def test_is_the_vector_norm_of_numpy(self, order, device, mode):
        a = np.random.default_rng(0).standard_normal((2, 3, 4))
        x = tensor(a, dtype="float64", device=device)
        for axes in (None, 1, (0, 2)):
            for keep in (False, True):
                expected = np.linalg.vector_norm(a, ord=order, axis=axes, keepdims=keep)
                np.testing.assert_allclose(ndl.norm(x, order, axes, keep).numpy(), expected, rtol=1e-14)

    def test_integers_give_float32(self, device, mode):
        x = ndl.Tensor(np.array([3, -4]), dtype="int32", device=device)
        for order, expected in [(1, 7), (2, 5), (INF, 4)]:
            y = ndl.norm(x, order)
            assert y.dtype == "float32" and y.item() == expected

    def test_no_vector_at_all_has_length_0_but_no_largest_element(self, device, mode):
        x = tensor(np.zeros((2, 0)), device=device)
        for order in (1, 2):
            y = ndl.norm(x, order, 1)
            np.testing.assert_array_equal(y.numpy(), [0, 0])
            y.backward()
            assert x.grad.shape == (2, 0)
        with pytest.raises(ValueError, match=r"no element|zero-size"):
            ndl.norm(x, INF, 1).numpy()


X = tensor(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ndl.cumsum(X, 2), ValueError, r"cumsum: axis 2 is out of bounds for 2 axes"),
        (lambda: ndl.cumsum(X[0, 0], 0), ValueError, r"cumsum: axis 0 is out of bounds for 0 axes"),
        (lambda: ndl.cumsum(X, None), TypeError, r"cumsum: axis must be an int, got None; reshape"),
        (lambda: ndl.cumsum(X, (0, 1)), TypeError, r"cumsum: axis must be an int, got \(0, 1\)"),
        (lambda: ndl.prod(X, 2), ValueError, r"prod: axis 2 is out of bounds for 2 axes"),
        (lambda: ndl.prod(X, (0, 0)), ValueError, r"prod: an axis stands twice in \(0, 0\)"),
        (lambda: ndl.norm(X, 2, 2), ValueError, r"norm: axis 2 is out of bounds for 2 axes"),
        (lambda: ndl.norm(X, 3), ValueError, r"norm: ord is 3; it must be 1, 2 or float\(.inf.\)"),
        (lambda: ndl.norm(X, "fro"), ValueError, r"norm: ord is 'fro'; it must be 1, 2"),
    ],
)
def test_what_does_not_fit_is_an_error_that_says_why(call, error, message, mode):
    with pytest.raises(error, match=message):
        call()
