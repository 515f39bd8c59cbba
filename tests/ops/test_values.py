"""Values that are special: NaN, infinities, ties, kinks, large numbers, empty tensors."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import needle as ndl
from tests.autograd.graphs import tensor

INF, NAN = float("inf"), float("nan")

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, under NEEDLE_BACKEND=np

SPECIAL = np.array([NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 1e30, -1e30])


def gradient(function, values, dtype: str = "float64"):
    """The gradient of the sum of `function` at `values`."""
    x = tensor(values, dtype=dtype)
    function(x).sum().backward()
    return x.grad.numpy()


@pytest.mark.parametrize(
    ("function", "reference"),
    [
        (ndl.exp, np.exp),
        (ndl.log, np.log),
        (ndl.tanh, np.tanh),
        (ndl.sqrt, np.sqrt),
        (ndl.abs, np.abs),
        (ndl.sign, np.sign),
        (ndl.negate, np.negative),
        (ndl.relu, lambda a: np.maximum(a, 0)),
        (ndl.sigmoid, scipy.special.expit),
        (lambda a: a + 1, lambda a: a + 1),
        (lambda a: 1 / a, lambda a: 1 / a),
        (lambda a: a**2, lambda a: a**2),
        (lambda a: a * a[::-1], lambda a: a * a[::-1]),
        (lambda a: ndl.maximum(a, a[::-1]), lambda a: np.maximum(a, a[::-1])),
        (lambda a: ndl.minimum(a, 0.5), lambda a: np.minimum(a, 0.5)),
        (lambda a: ndl.clip(a, -0.5, 0.5), lambda a: np.clip(a, -0.5, 0.5)),
        (lambda a: ndl.greater(a, a[::-1]), lambda a: (a > a[::-1]) * 1.0),
        (lambda a: ndl.not_equal(a, a), lambda a: (a != a) * 1.0),
        (ndl.summation, np.sum),
        (ndl.max, np.max),
        (ndl.min, np.min),
        (lambda a: ndl.max(a[3:]), lambda a: np.max(a[3:])),
        (lambda a: ndl.logsumexp(a[1:]), lambda a: scipy.special.logsumexp(a[1:])),
        (lambda a: ndl.reshape(a, (3, 3)) @ ndl.reshape(a, (3, 3)), lambda a: a.reshape(3, 3) @ a.reshape(3, 3)),
    ],
)
def test_nan_and_infinities_go_through_as_in_numpy(function, reference, device, mode):
    with np.errstate(all="ignore"):
        expected = reference(SPECIAL)
    np.testing.assert_allclose(function(tensor(SPECIAL, dtype="float64", device=device)).numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
def test_logsumexp_and_the_softmaxes_are_stable_for_large_inputs(shift, dtype, device, mode):
    z = np.array([[0.0, 1.0, -2.0], [3.0, 3.0, 3.0]])
    x = tensor(z + shift, dtype=dtype, device=device)
    atol = np.finfo(dtype).eps * 8 * max(1.0, abs(shift))
    np.testing.assert_allclose(ndl.logsumexp(x, 1).numpy() - shift, scipy.special.logsumexp(z, 1), atol=atol)
    np.testing.assert_allclose(ndl.logsoftmax(x).numpy(), scipy.special.log_softmax(z, 1), atol=atol)
    np.testing.assert_allclose(ndl.softmax(x).numpy(), scipy.special.softmax(z, 1), atol=atol)
    ndl.logsumexp(x, 1).backward()
    np.testing.assert_allclose(x.grad.numpy(), scipy.special.softmax(z, 1), atol=atol)


def test_logsumexp_of_zeros_is_zero_probability():
    for x in (np.full(3, -INF), np.array([-INF, 0.0]), np.array([INF, 0.0])):
        assert ndl.logsumexp(tensor(x)).item() == scipy.special.logsumexp(x)


def test_sigmoid_neither_overflows_nor_loses_digits(device):
    x = np.array([-700.0, -40.0, -1.0, 0.0, 1.0, 40.0, 700.0])
    given = ndl.sigmoid(tensor(x, dtype="float64", device=device)).numpy()
    np.testing.assert_allclose(given, scipy.special.expit(x), rtol=1e-15)


def test_var_keeps_its_digits_where_the_mean_is_large():
    x = np.array([1e8, 1e8 + 1, 1e8 + 2])
    assert ndl.var(tensor(x, dtype="float64")).item() == pytest.approx(2 / 3, rel=1e-12)


class TestKinks:
    def test_relu_has_gradient_zero_at_zero(self, mode):
        np.testing.assert_array_equal(gradient(ndl.relu, [-1.0, 0.0, 2.0]), [0, 0, 1])

    def test_abs_has_gradient_zero_at_zero(self, mode):
        np.testing.assert_array_equal(gradient(ndl.abs, [-2.0, 0.0, 2.0]), [-1, 0, 1])

    def test_sign_and_comparisons_have_none(self, mode):
        x = tensor([1.0, -1.0])
        (ndl.sign(x) + ndl.less(x, 0) + x).backward()
        np.testing.assert_array_equal(x.grad.numpy(), [1, 1])

    def test_equal_largest_elements_share_the_gradient(self, mode):
        np.testing.assert_array_equal(
            gradient(lambda a: ndl.max(a, 1), [[1.0, 3.0, 3.0], [2.0, 1.0, 0.0]]), [[0, 0.5, 0.5], [1, 0, 0]]
        )
        np.testing.assert_array_equal(gradient(ndl.min, [[1.0, 1.0], [1.0, 1.0]]), np.full((2, 2), 0.25))

    def test_equal_operands_of_maximum_share_the_gradient(self, mode):
        for function in (ndl.maximum, ndl.minimum):
            a, b = tensor([1.0, 2.0]), tensor([1.0, 2.0])
            function(a, b).backward()
            assert a.grad.numpy().tolist() == b.grad.numpy().tolist() == [0.5, 0.5]

    def test_clip_passes_the_gradient_inside_its_limits_and_on_them(self, mode):
        np.testing.assert_array_equal(
            gradient(lambda a: ndl.clip(a, 0, 1), [-1.0, 0.0, 0.5, 1.0, 2.0]), [0, 1, 1, 1, 0]
        )

    def test_powers_at_zero(self, mode):
        np.testing.assert_array_equal(gradient(lambda a: a**2, [0.0]), [0])
        np.testing.assert_array_equal(gradient(lambda a: a**1, [0.0]), [1])
        np.testing.assert_array_equal(gradient(lambda a: a**0, [0.0]), [0])
        for exponent, expected in [(1.0, 1.0), (2.0, 0.0)]:
            a, b = tensor([0.0], dtype="float64"), tensor([exponent], dtype="float64")
            (a**b).backward()
            assert a.grad.item() == expected and b.grad.item() == 0

    def test_a_power_of_a_negative_base_has_a_gradient_in_the_base(self, mode):
        a, b = tensor([-2.0], dtype="float64"), tensor([3.0], dtype="float64")
        (a**b).backward()
        assert a.grad.item() == 12 and b.grad.item() == 0


class TestWhere:
    def test_nan_in_what_is_not_taken_spreads_neither_forward_nor_backward(self, mode):
        x = tensor([-1.0, 4.0], dtype="float64")
        y = ndl.where(ndl.greater(x, 0), ndl.sqrt(ndl.maximum(x, 0)), x)
        np.testing.assert_array_equal(y.numpy(), [-1, 2])
        a, b = tensor([1.0, NAN]), tensor([NAN, 2.0])
        z = ndl.where(np.array([True, False]), a, b)
        z.backward()
        np.testing.assert_array_equal(z.numpy(), [1, 2])
        np.testing.assert_array_equal(a.grad.numpy(), [1, 0])
        np.testing.assert_array_equal(b.grad.numpy(), [0, 1])

    def test_an_infinite_adjoint_stays_where_it_belongs(self, mode):
        a, b = tensor([1.0, 2.0]), tensor([3.0, 4.0])
        ndl.where(np.array([True, False]), a, b).backward(tensor([INF, NAN]))
        np.testing.assert_array_equal(a.grad.numpy(), [INF, 0])
        np.testing.assert_array_equal(b.grad.numpy(), [0, NAN])

    def test_conditions_are_of_any_dtype(self, device):
        a, b = tensor([1.0, 2.0], device=device), tensor([3.0, 4.0], device=device)
        for condition in ([1, 0], [2.5, 0.0], [True, False]):
            assert ndl.where(np.array(condition), a, b).numpy().tolist() == [1, 4]


class TestEmpty:
    """Tensors without elements work as in NumPy: sums are 0, means and variances NaN, extremes do not exist."""

    @pytest.mark.parametrize("axis", [None, 0])
    def test_sum_mean_and_var(self, axis, device, mode):
        x = tensor(np.zeros((0, 3)), device=device)
        shape = () if axis is None else (3,)
        for function, expected in [(ndl.summation, 0), (ndl.mean, NAN), (ndl.var, NAN)]:
            y = function(x, axis)
            np.testing.assert_array_equal(y.numpy(), np.full(shape, expected))
            y.backward()
            assert x.grad.numpy().shape == (0, 3)

    @pytest.mark.parametrize("function", [ndl.max, ndl.min, ndl.logsumexp])
    def test_extremes_of_nothing_are_an_error_that_says_so(self, function, device, mode):
        with pytest.raises(ValueError, match=r"no element|zero-size|empty"):
            function(tensor(np.zeros((2, 0)), device=device), 1).numpy()
        assert function(tensor(np.zeros((0, 2)), device=device), 1).numpy().shape == (0,)

    def test_products(self, device, mode):
        a, b = tensor(np.ones((2, 0)), device=device), tensor(np.ones((0, 3)), device=device)
        y = a @ b
        np.testing.assert_array_equal(y.numpy(), np.zeros((2, 3)))
        y.backward()
        assert a.grad.numpy().shape == (2, 0) and b.grad.numpy().shape == (0, 3)
