"""Element types: NumPy's promotion, but floats win over integers; Python numbers are weak and must fit."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from needle import backend_ndarray as nd
from needle.backend_ndarray.dtypes import DTYPES, as_float, check_dtype, promote

DEVICES = [nd.cpu(), nd.cpu_numpy()]
FLOATS = ("float32", "float64")
INTEGERS = ("int32", "int64", "uint8")

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture(params=DEVICES, ids=str)
def device(request):
    """Every device of Needle's arrays."""
    return request.param


def array(values, dtype, device):
    """An array of a dtype."""
    return nd.array(values, dtype=dtype, device=device)


def expected_dtype(a: str, b: str) -> str:
    """The rule in words: the only float, if there is one float; else NumPy's."""
    floats = [dtype for dtype in (a, b) if dtype in FLOATS]
    return floats[0] if len(floats) == 1 else np.promote_types(a, b).name


def test_the_dtypes_are_six():
    assert set(DTYPES) == {"float32", "float64", "int32", "int64", "uint8", "bool"}


@pytest.mark.parametrize("a", DTYPES)
@pytest.mark.parametrize("b", DTYPES)
class TestPromotion:
    def test_is_numpys_but_a_float_wins_over_an_integer(self, a, b):
        assert promote(a, b) == promote(b, a) == expected_dtype(a, b)

    def test_holds_for_arithmetic_between_arrays(self, a, b, device):
        x, y = array([3, 1], a, device), array([1, 1], b, device)
        dtype = expected_dtype(a, b)
        for function in (operator.add, operator.mul, nd.maximum, nd.minimum, lambda x, y: nd.where(x, x, y)):
            result = function(x, y)
            assert result.dtype == result.numpy().dtype == dtype
        np.testing.assert_array_equal((x + y).numpy(), x.numpy().astype(dtype) + y.numpy().astype(dtype))

    def test_of_a_quotient_is_a_float(self, a, b, device):
        x, y = array([3, 1], a, device), array([1, 1], b, device)
        floats = {dtype for dtype in (a, b) if dtype in FLOATS}
        assert (x / y).dtype == (max(floats) if floats else "float32")

    def test_of_a_comparison_is_a_float_mask(self, a, b, device):
        x, y = array([3, 1], a, device), array([1, 1], b, device)
        mask = x > y
        assert mask.dtype == ("float64" if expected_dtype(a, b) == "float64" else "float32")
        np.testing.assert_array_equal(mask.numpy(), x.numpy() > y.numpy())

    def test_of_a_product_of_matrices(self, a, b, device):
        x, y = array([[1, 1]], a, device), array([[1], [0]], b, device)
        if a == b == "bool":
            with pytest.raises(TypeError, match="matmul: bool"):
                x @ y
        else:
            assert (x @ y).dtype == expected_dtype(a, b)
            assert (x @ y).numpy().tolist() == [[1]]


WEAK = [
    ("float32", 2, "float32"),
    ("float32", 2.5, "float32"),
    ("float32", np.float64(2.5), "float32"),
    ("float64", 2.5, "float64"),
    ("int32", 2, "int32"),
    ("int32", 2.5, "float32"),
    ("int64", 2.5, "float32"),
    ("uint8", 2, "uint8"),
    ("uint8", 2.5, "float32"),
    ("bool", True, "bool"),
    ("bool", 2, "int64"),
    ("bool", 2.5, "float32"),
    ("int32", True, "int32"),
]


@pytest.mark.parametrize(("dtype", "number", "result"), WEAK)
def test_python_numbers_are_weak(dtype, number, result, device):
    x = array([1, 0], dtype, device)
    for y in (x + number, number + x, x * number, nd.maximum(x, number)):
        assert y.dtype == y.numpy().dtype == result
    np.testing.assert_array_equal((x + number).numpy(), x.numpy().astype(result) + np.asarray(number, result))


@pytest.mark.parametrize(("dtype", "number"), [("uint8", 256), ("uint8", -1), ("int32", 2**31), ("int64", 2**63)])
def test_an_integer_that_does_not_fit_is_an_overflow_error_that_names_both(dtype, number, device):
    x = array([1, 0], dtype, device)
    for function in (operator.add, operator.mul, nd.maximum):
        with pytest.raises(OverflowError, match=rf"{number}.*{dtype}"):
            function(x, number)
    for values in (number, [0, number]):
        with pytest.raises(OverflowError):
            nd.array(values, dtype=dtype, device=device)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_wrap_around_and_divide_to_floats(dtype, device):
    highest = int(np.iinfo(dtype).max)
    x = array([highest, 7], dtype, device)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal((x + x).numpy(), x.numpy() + x.numpy())
        np.testing.assert_array_equal((x * 2).numpy(), x.numpy() * np.asarray(2, dtype))
    assert (x / 2).dtype == (2 / x).dtype == "float32"
    np.testing.assert_allclose((x / 2).numpy(), x.numpy() / 2, rtol=1e-6)


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
@pytest.mark.parametrize("function", [nd.exp, nd.log, nd.tanh, nd.sqrt, nd.sin, nd.cos, nd.sigmoid])
def test_functions_with_fractional_values_take_integers_as_float32(function, dtype, device):
    y = function(array([1, 1], dtype, device))
    assert y.dtype == "float32"
    np.testing.assert_array_equal(y.numpy(), function(array([1, 1], "float32", device)).numpy())


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_of_integers_are_int64_and_extremes_keep_the_dtype(dtype, device):
    x = array([1, 1, 0], dtype, device)
    assert x.sum().dtype == (dtype if dtype in FLOATS else "int64") and x.sum().item() == 2
    assert x.max().dtype == x.min().dtype == dtype
    assert x.argmax().dtype == "int64"
    big = nd.full((300,), 1, dtype=dtype, device=device)
    assert big.sum().item() == 300


def test_powers_of_integers(device):
    x = array([2, 3], "int32", device)
    assert (
        (x**2).numpy().tolist() == [4, 9] and (2**x).numpy().tolist() == [4, 8] and (x**x).numpy().tolist() == [4, 27]
    )
    assert (x**2).dtype == "int32" and (x**0.5).dtype == "float32"
    for power in (
        lambda: x**-1,
        lambda: x ** array([1, -1], "int32", device),
        lambda: 2 ** array([-1, 0], "int64", device),
    ):
        with pytest.raises(ValueError, match="power: integers to negative integer powers"):
            power()
    np.testing.assert_allclose((x**-1.0).numpy(), [1 / 2, 1 / 3], rtol=1e-6)


def test_bool_arrays_know_or_and_and_but_no_minus(device):
    x, y = array([True, True, False], "bool", device), array([True, False, False], "bool", device)
    np.testing.assert_array_equal((x + y).numpy(), [True, True, False])
    np.testing.assert_array_equal((x * y).numpy(), [True, False, False])
    for minus in (lambda: x - y, lambda: x - True, lambda: -x):
        with pytest.raises(TypeError, match="bool"):
            minus()
    np.testing.assert_array_equal((x - 1).numpy(), [0, 0, -1])


@pytest.mark.parametrize("source", DTYPES)
@pytest.mark.parametrize("target", DTYPES)
def test_astype_casts_as_numpy_does(source, target, device):
    x = np.array([0, 1, 2, 127], source)
    y = nd.array(x, dtype=source, device=device).astype(target)
    assert y.dtype == target
    np.testing.assert_array_equal(y.numpy(), x.astype(target))


def test_astype_truncates_towards_zero_and_takes_anything_but_zero_as_true(device):
    x = array([1.9, -1.9, 0.0, 0.5], "float64", device)
    assert x.astype("int32").numpy().tolist() == [1, -1, 0, 0]
    assert x.astype("bool").numpy().tolist() == [True, True, False, True]


def test_astype_to_the_same_dtype_is_the_array_itself():
    x = nd.array([1.0])
    assert x.astype("float32") is x and x.astype(np.float32) is x


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("float64", "float64"),
        (np.int32, "int32"),
        (np.dtype("uint8"), "uint8"),
        (bool, "bool"),
        (int, "int64"),
        (float, "float32"),
    ],
)
def test_dtypes_are_named_in_many_ways(given, name):
    assert check_dtype(given) == name == nd.zeros((1,), dtype=given).dtype


@pytest.mark.parametrize("wrong", ["float16", "complex64", "int8", "text", object, 3])
def test_a_dtype_that_does_not_exist_is_a_type_error_that_lists_those_that_do(wrong):
    with pytest.raises(TypeError, match=r"not supported.*float32, float64"):
        nd.zeros((1,), dtype=wrong)


def test_as_float():
    assert [as_float(dtype) for dtype in ("float32", "float64", "int64", "bool")] == [
        "float32",
        "float64",
        "float32",
        "float32",
    ]
