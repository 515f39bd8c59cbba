"""Functions from exponentials and logarithms: how exact they are, and what they give at their edges.

The exact values are computed here with 60 decimal digits.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest

import needle as ndl
from tests.autograd.graphs import op_names, tensor

INF, NAN = float("inf"), float("nan")

PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494")

DTYPES = ["float32", "float64"]


@pytest.fixture(autouse=True)
def sixty_digits():
    with decimal.localcontext() as context:
        context.prec = 60
        context.Emin, context.Emax = decimal.MIN_EMIN, decimal.MAX_EMAX
        yield


def log1p(x: Decimal) -> Decimal:
    return (1 + x).ln()


def tail(x: Decimal) -> Decimal:
    """Phi(-x), from the C library's erfc, with a first-order correction for the digits that a float cannot hold."""
    place = x / Decimal(2).sqrt()
    near = float(place)
    slope = -2 / PI.sqrt() * (-(Decimal(near) ** 2)).exp()
    return (Decimal(math.erfc(near)) + slope * (place - Decimal(near))) / 2


def logistic(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp())


def gelu_by_tanh(x: Decimal) -> Decimal:
    return x * logistic(2 * (2 / PI).sqrt() * (x + Decimal("0.044715") * x**3))


#: The function, its exact value, from where to where (float32, float64), and how many units in the last place it errs.
ACCURATE: dict[str, tuple[Callable, Callable, tuple[float, float], tuple[float, float], int]] = {
    "log1p": (ndl.log1p, log1p, (-0.99, 1e30), (-0.99, 1e300), 4),
    "expm1": (ndl.expm1, lambda x: x.exp() - 1, (-60, 88), (-60, 709), 4),
    "sinh": (ndl.sinh, lambda x: (x.exp() - (-x).exp()) / 2, (-89, 89), (-710, 710), 4),
    "cosh": (ndl.cosh, lambda x: (x.exp() + (-x).exp()) / 2, (-89, 89), (-710, 710), 4),
    "erf": (ndl.erf, lambda x: 1 - 2 * tail(x * Decimal(2).sqrt()), (0.5, 7), (0.5, 7), 4),
    "gelu": (ndl.gelu, lambda x: x * tail(-x), (-12, 8), (-36, 9), 8),
    "gelu-tanh": (lambda a: ndl.gelu(a, "tanh"), gelu_by_tanh, (-1, 20), (-1, 30), 8),
    "silu": (ndl.silu, lambda x: x * logistic(x), (-80, 1e30), (-700, 1e300), 4),
    "softplus": (ndl.softplus, lambda x: log1p((-abs(x)).exp()) + max(x, Decimal(0)), (-80, 1e30), (-700, 1e300), 4),
}


def spread(low: float, high: float, dtype: str) -> np.ndarray:
    """Numbers between both, evenly spread over the interval, over what is near 0, and over the orders of magnitude."""
    generator = np.random.default_rng(3)
    orders = 10 ** generator.uniform(-12, math.log10(max(-low, high)), 300) * generator.choice([-1, 1], 300)
    numbers = np.concatenate([generator.uniform(low, high, 100), generator.uniform(-3, 3, 200), orders]).astype(dtype)
    return numbers[(numbers >= low) & (numbers <= high)]


def units_in_the_last_place(given: np.ndarray, exact: list[Decimal]) -> np.ndarray:
    """The errors of `given`, each in units of the distance between neighbouring numbers there."""
    spacing = np.spacing(np.abs(np.array(exact, dtype=given.dtype)))
    return np.array([float(abs(Decimal(float(x)) - e) / Decimal(float(s))) for x, e, s in zip(given, exact, spacing)])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACCURATE)
def test_the_error_is_a_few_units_in_the_last_place(name, dtype, device):
    function, reference, *ranges, bound = ACCURATE[name]
    x = spread(*ranges[DTYPES.index(dtype)], dtype)
    given = function(tensor(x, dtype=dtype, device=device)).numpy()
    assert given.dtype == dtype and len(x) > 100
    errors = units_in_the_last_place(given, [reference(Decimal(float(number))) for number in x])
    assert errors.max() <= bound, f"at {x[errors.argmax()]!r}"


@pytest.mark.parametrize("dtype", DTYPES)
def test_arctan2_errs_by_a_few_units_in_the_last_place_in_all_directions(dtype, device):
    generator = np.random.default_rng(0)
    y, x = (generator.standard_normal(1000) * 10 ** generator.uniform(-12, 12, 1000) for _ in range(2))
    y, x = y.astype(dtype), x.astype(dtype)
    given = ndl.arctan2(tensor(y, dtype=dtype, device=device), tensor(x, dtype=dtype, device=device)).numpy()
    exact = np.arctan2(y.astype("float64"), x.astype("float64"))
    assert (np.abs(given - exact) / np.spacing(np.abs(exact).astype(dtype))).max() <= 4


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", [ndl.log1p, ndl.expm1, ndl.sinh])
def test_tiny_numbers_stay_what_they_are(function, dtype, device):
    limits = np.finfo(dtype)
    x = np.array([limits.smallest_subnormal, 3 * limits.smallest_subnormal, limits.tiny, 1e-30, limits.eps / 8], dtype)
    x = np.concatenate([x, -x])
    np.testing.assert_array_equal(function(tensor(x, dtype=dtype, device=device)).numpy(), x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("function", "slope"), [(ndl.erf, 2 / math.sqrt(math.pi)), (ndl.gelu, 0.5), (ndl.silu, 0.5)])
def test_near_0_the_value_is_the_slope_times_the_argument(function, slope, dtype, device):
    x = np.array([1e-30, -1e-35, np.finfo(dtype).tiny], dtype)
    np.testing.assert_allclose(function(tensor(x, dtype=dtype, device=device)).numpy(), x * slope, rtol=3e-7)


#: Infinities, NaN, both zeros.
EDGES = np.array([INF, -INF, NAN, 0.0, -0.0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (ndl.log1p, [INF, NAN, NAN, 0.0, -0.0]),
        (ndl.expm1, [INF, -1, NAN, 0.0, -0.0]),
        (ndl.sinh, [INF, -INF, NAN, 0.0, -0.0]),
        (ndl.cosh, [INF, INF, NAN, 1, 1]),
        (ndl.erf, [1, -1, NAN, 0.0, -0.0]),
        (ndl.gelu, [INF, -0.0, NAN, 0.0, -0.0]),
        (lambda a: ndl.gelu(a, "tanh"), [INF, -0.0, NAN, 0.0, -0.0]),
        (ndl.silu, [INF, -0.0, NAN, 0.0, -0.0]),
        (ndl.softplus, [INF, 0, NAN, math.log(2), math.log(2)]),
        (ndl.ops.Gaussian(1), [0, 0, NAN, 1, 1]),
        (ndl.ops.NormalCdf(), [1, 0, NAN, 0.5, 0.5]),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of the logarithm of -inf
def test_infinities_and_zeros_give_their_limits_with_their_signs(function, expected, dtype, device, mode):
    given = function(tensor(EDGES, dtype=dtype, device=device)).numpy()
    np.testing.assert_array_equal(given, np.array(expected, dtype))
    numbers = ~np.isnan(given)
    np.testing.assert_array_equal(np.signbit(given[numbers]), np.signbit(np.array(expected)[numbers]))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_log1p_has_its_pole_at_minus_one_and_no_value_below(device):
    np.testing.assert_array_equal(ndl.log1p(tensor([-1.0, -1.5], device=device)).numpy(), [-INF, NAN])


@pytest.mark.parametrize(("dtype", "last"), [("float32", 89.41), ("float64", 710.47)])
def test_the_hyperbolic_functions_overflow_only_where_their_values_do(dtype, last, device):
    x = tensor([last, -last], dtype=dtype, device=device)
    expected = math.exp(float(np.array(last, dtype)) - 40) * math.exp(40) / 2 if dtype == "float32" else 1.7e308
    rtol = 1e-5 if dtype == "float32" else 0.1
    np.testing.assert_allclose(ndl.cosh(x).numpy(), [expected, expected], rtol=rtol)
    np.testing.assert_allclose(ndl.sinh(x).numpy(), [expected, -expected], rtol=rtol)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(ndl.cosh(tensor([2 * last], dtype=dtype, device=device)).numpy(), [INF])


SMOOTH = {
    "erf": ndl.erf,
    "gelu": ndl.gelu,
    "gelu-tanh": lambda a: ndl.gelu(a, "tanh"),
    "silu": ndl.silu,
    "softplus": ndl.softplus,
}


def derivatives(function: Callable, values: list[float], dtype: str, order: int) -> list[np.ndarray]:
    """The first derivatives of a function of every element."""
    x = tensor(values, dtype=dtype)
    y, found = function(x), []
    for _ in range(order):
        x.grad = None
        y.sum().backward()
        y = x.grad
        found.append(y.numpy())
    return found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SMOOTH)
def test_far_out_the_derivatives_are_those_of_the_asymptotes(name, dtype):
    large = float(np.finfo(dtype).max)
    first, second, third = derivatives(SMOOTH[name], [-INF, -large, -2e3, 2e3, large, INF], dtype, 3)
    right = 0 if name == "erf" else 1
    np.testing.assert_array_equal(first, [0, 0, 0, right, right, right])
    np.testing.assert_array_equal(second, np.zeros(6))
    np.testing.assert_array_equal(third, np.zeros(6))


@pytest.mark.parametrize("name", [*SMOOTH, "log1p", "expm1", "sinh", "cosh"])
def test_no_derivative_is_lost_near_0(name):
    function = SMOOTH.get(name) or getattr(ndl, name)
    at_0 = derivatives(function, [0.0], "float64", 3)
    for tiny in (1e-300, -1e-300, 1e-18):
        for given, expected in zip(derivatives(function, [tiny], "float64", 3), at_0):
            np.testing.assert_allclose(given, expected, rtol=1e-15, atol=1e-15)


def test_derivatives_keep_their_digits_where_they_are_tiny():
    np.testing.assert_allclose(derivatives(ndl.expm1, [-40.0], "float64", 1)[0], math.exp(-40), rtol=1e-15)
    np.testing.assert_allclose(derivatives(ndl.softplus, [-40.0], "float64", 1)[0], math.exp(-40), rtol=1e-14)
    np.testing.assert_allclose(derivatives(ndl.silu, [-40.0], "float64", 1)[0], -39 * math.exp(-40), rtol=1e-14)
    slope = 2 / PI.sqrt() * (-(Decimal("20.125") ** 2)).exp()
    np.testing.assert_allclose(derivatives(ndl.erf, [20.125], "float64", 1)[0], float(slope), rtol=1e-14)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_and_its_approximation_are_close_to_each_other(approximate):
    x = np.linspace(-6, 6, 101)
    exact = [float(Decimal(v) * tail(-Decimal(v))) for v in x]
    np.testing.assert_allclose(ndl.gelu(tensor(x, dtype="float64"), approximate).numpy(), exact, atol=5e-4)


def test_gelu_is_exact_by_default():
    assert ndl.gelu(tensor([1.0], dtype="float64")).item() == pytest.approx(0.8413447460685429, rel=1e-15)
    assert ndl.gelu(tensor([1.0], dtype="float64"), "tanh").item() == pytest.approx(0.8411919906082768, rel=1e-15)


class TestLogAddExp:
    def test_is_that_of_numpy_at_infinities_and_large_numbers(self, device, mode):
        numbers = np.array([INF, -INF, 1e308, -1e308, 700.0, 0.0, -700.0, 1e-300])
        a, b = (x.ravel() for x in np.meshgrid(numbers, numbers))
        x, y = tensor(a, dtype="float64", device=device), tensor(b, dtype="float64", device=device)
        with np.errstate(over="ignore"):
            expected = np.logaddexp(a, b)
        np.testing.assert_allclose(ndl.logaddexp(x, y).numpy(), expected, rtol=1e-15)

    def test_nan_spreads(self, device):
        x = tensor([NAN, 0.0, NAN], device=device)
        assert np.isnan(ndl.logaddexp(x, x[::-1]).numpy()).tolist() == [True, False, True]

    @pytest.mark.parametrize(
        ("a", "b", "expected"),
        [(-INF, -INF, 0.5), (INF, INF, 0.5), (-INF, 3.0, 0), (3.0, -INF, 1), (INF, 3.0, 1), (2.0, 2.0, 0.5)],
    )
    def test_the_weights_add_up_to_one_also_at_infinities(self, a, b, expected):
        x, y = tensor([a], dtype="float64"), tensor([b], dtype="float64")
        ndl.logaddexp(x, y).sum().backward()
        assert (x.grad.item(), y.grad.item()) == (expected, 1 - expected)

    def test_equal_arguments_have_the_second_derivative_of_a_quarter(self):
        x, y = tensor([2.0], dtype="float64"), tensor([2.0], dtype="float64")
        ndl.logaddexp(x, y).sum().backward()
        first = x.grad
        x.grad = y.grad = None
        first.sum().backward()
        assert (x.grad.item(), y.grad.item()) == (0.25, -0.25)

    def test_a_sum_of_probabilities_of_which_all_are_0_can_be_learned_from(self):
        x = tensor([-INF, -INF, -1.0], dtype="float64")
        total = ndl.logaddexp(ndl.logaddexp(x[0:1], x[1:2]), x[2:3])
        total.sum().backward()
        assert total.item() == -1 and x.grad.numpy().tolist() == [0, 0, 1]


class TestArctan2:
    def test_is_that_of_numpy_for_all_signs_of_zeros_and_infinities(self, device, mode):
        numbers = np.array([0.0, -0.0, 1.0, -1.0, INF, -INF, 5e-324, -1e308, NAN])
        y, x = (v.ravel() for v in np.meshgrid(numbers, numbers))
        given = ndl.arctan2(tensor(y, dtype="float64", device=device), tensor(x, dtype="float64", device=device))
        expected = np.arctan2(y, x)
        np.testing.assert_allclose(given.numpy(), expected, rtol=1e-15)
        numbers = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(given.numpy())[numbers], np.signbit(expected)[numbers])

    @pytest.mark.parametrize(("y", "x"), [(0.0, 0.0), (-0.0, 0.0), (0.0, -0.0), (-0.0, -0.0)])
    def test_at_the_origin_all_derivatives_are_0(self, y, x):
        a, b = tensor([y], dtype="float64"), tensor([x], dtype="float64")
        ndl.arctan2(a, b).sum().backward()
        first = [a.grad, b.grad]
        assert [g.item() for g in first] == [0, 0]
        a.grad = b.grad = None
        (first[0] + first[1]).sum().backward()
        assert [a.grad.item(), b.grad.item()] == [0, 0]

    @pytest.mark.parametrize("size", [1e-300, 1e-150, 1.0, 1e150, 1e300])
    def test_no_derivative_overflows_or_vanishes_for_points_far_out_or_far_in(self, size):
        a, b = tensor([3 * size], dtype="float64"), tensor([-4 * size], dtype="float64")
        ndl.arctan2(a, b).sum().backward()
        np.testing.assert_allclose([a.grad.item() * size, b.grad.item() * size], [-4 / 25, -3 / 25], rtol=1e-14)

    def test_at_infinity_the_angle_does_not_change(self):
        for y, x in [(1.0, INF), (INF, -1.0), (-INF, INF)]:
            a, b = tensor([y]), tensor([x])
            ndl.arctan2(a, b).sum().backward()
            np.testing.assert_allclose([a.grad.item(), b.grad.item()], [0, 0], atol=1e-37)


def test_no_warning_comes_from_what_is_not_taken():
    """Of NumPy's arrays, that is; Needle's kernels never warn."""
    numbers = tensor([INF, -INF, 1e308, -1e308, 1e-320, 0.0, -0.0, NAN], dtype="float64")
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        for function in SMOOTH.values():
            function(numbers)
        ndl.log1p(tensor([INF, 1e308, 0.0, 1e-320, -0.5], dtype="float64"))
        ndl.expm1(tensor([INF, -INF, 709.0, 0.0], dtype="float64"))
        ndl.cosh(tensor([INF, -INF, 710.4], dtype="float64"))
        ndl.sinh(tensor([INF, -INF, 710.4], dtype="float64"))
        for other in (numbers, numbers[::-1], -numbers):
            ndl.logaddexp(numbers, other)
            ndl.arctan2(numbers, other)


@pytest.mark.parametrize(
    "function",
    [ndl.log1p, ndl.expm1, ndl.sinh, ndl.cosh, *SMOOTH.values(), ndl.logaddexp, ndl.arctan2],
    ids=lambda function: function.__name__,
)
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
def test_integers_give_float32(function, dtype, device, mode):
    x = ndl.Tensor(np.array([0, 1]), dtype=dtype, device=device)
    two = function in (ndl.logaddexp, ndl.arctan2)
    given = function(x, x) if two else function(x)
    expected = function(x.astype("float32"), x.astype("float32")) if two else function(x.astype("float32"))
    assert given.dtype == "float32"
    np.testing.assert_array_equal(given.numpy(), expected.numpy())


def test_two_dtypes_are_promoted_and_numbers_adapt():
    single, double = tensor([1.0, 2.0]), tensor([0.5, 0.5], dtype="float64")
    for function, numpys in [(ndl.logaddexp, np.logaddexp), (ndl.arctan2, np.arctan2)]:
        assert function(single, double).dtype == "float64" and function(single, 2).dtype == "float32"
        np.testing.assert_allclose(function(2, double).numpy(), numpys(2, double.numpy()), rtol=1e-14)
        assert op_names(function(single, double[:1]))[-3:-1] == ["GetItem", "BroadcastTo"]


def test_what_is_no_option_of_gelu_is_an_error_that_names_the_options():
    with pytest.raises(ValueError, match=r'gelu: approximate is .erf.; it must be "none" or "tanh"'):
        ndl.gelu(tensor([1.0]), "erf")


def test_shapes_that_do_not_broadcast_are_an_error_that_names_the_function():
    for name in ("logaddexp", "arctan2"):
        with pytest.raises(ValueError, match=rf"{name}: shapes \(2,\), \(3,\) do not broadcast together"):
            getattr(ndl, name)(tensor(np.ones(2)), tensor(np.ones(3)))


def test_what_is_no_tensor_is_an_error_that_says_what_to_do():
    with pytest.raises(TypeError, match=r"Gelu: input 0 must be a Tensor, not a ndarray: ndl.Tensor\(x\)"):
        ndl.gelu(np.ones(2))
