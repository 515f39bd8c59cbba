"""The specification itself, against definitions written out in plain Python, closed forms and SciPy.

The other kernel tests compare a device with `ndarray_backend_numpy`; these are why that comparison means something.
"""

import itertools
import math
import operator

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings

from needle.backend_ndarray import ndarray_backend_numpy as spec
from tests.backend_ndarray import kernel_cases as cases
from tests.backend_ndarray.kernel_checks import INEXACT, NUMPY_ULP, ZEROS_ALIKE, assert_right, ulp_error


def view_of(values, dtype="float64"):
    """A compact view with these elements."""
    array = np.asarray(values, dtype)
    view = spec.View.alloc(array.shape, dtype)
    spec.from_numpy(array, view)
    return view


def result_of(kernel, *operands, shape=None, dtype=None):
    """The elements of a new `out`, of the shape and dtype of the first operand unless others are given."""
    first = next(x for x in operands if isinstance(x, spec.View))
    out = spec.View.alloc(first.shape if shape is None else shape, dtype or first.dtype)
    getattr(spec, kernel)(*operands, out)
    return spec.to_numpy(out)


def assert_close(name, result, expected):
    """Check values and, where it is prescribed, the sign of zeros."""
    expected = np.asarray(expected, "float64")
    np.testing.assert_allclose(result, expected, rtol=1e-15)
    if name not in ZEROS_ALIKE:
        zeros = expected == 0
        np.testing.assert_array_equal(np.signbit(result[zeros]), np.signbit(expected[zeros]))


# Views ----------------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(call=cases.copy_calls())
def test_views_show_the_elements_that_their_strides_say(call):
    for operand in call.operands:
        layout, shown = operand.layout, operand.on(spec).as_numpy()
        assert shown.shape == layout.shape and not shown.flags.writeable
        for index in itertools.islice(itertools.product(*map(range, layout.shape)), 50):
            position = layout.offset + sum(i * stride for i, stride in zip(index, layout.strides))
            assert cases.same_bits(shown[index], operand.data[position])


def test_views_share_memory_with_numpy_both_ways():
    array = np.arange(6.0)
    view = spec.View(spec.Array.borrow(array), (2, 2), (3, 1), 1)
    shown = view.as_numpy()
    spec.fill(view, -1)
    np.testing.assert_array_equal(array, [0, -1, -1, 3, -1, -1])
    np.testing.assert_array_equal(shown, [[-1, -1], [-1, -1]])
    assert view.handle.ptr() == array.ctypes.data
    copied = spec.to_numpy(view)
    copied[:] = 7
    assert array.max() == 3


@pytest.mark.parametrize(
    "shape, strides, offset", [((7,), (1,), 0), ((2, 3), (3, 1), 1), ((3,), (-1,), 1), ((1,), (1,), 6)]
)
def test_a_view_outside_its_buffer_is_refused(shape, strides, offset):
    with pytest.raises(ValueError):
        spec.View(spec.Array(6), shape, strides, offset).as_numpy()


# Elementwise ----------------------------------------------------------------------------------------------------------

INTERESTING = [-3.5, -1.0, -0.0, 0.0, 0.25, 1.0, 2.0, 30.0, math.inf, -math.inf, math.nan]


def _from_python(function):
    """A function of a list of floats by Python's math; a NaN where it does not exist."""

    def of_one(x):
        try:
            return function(x)
        except ValueError:
            return -math.inf if function is math.log and x == 0 else math.nan

    return lambda numbers: [of_one(x) for x in numbers]


UNARY = {
    "neg": _from_python(lambda x: -x),
    "abs": _from_python(lambda x: math.copysign(x, 1)),
    "sign": _from_python(lambda x: x if math.isnan(x) else (x > 0) - (x < 0)),
    "relu": _from_python(lambda x: x if x > 0 or math.isnan(x) else 0),
    "log": _from_python(math.log),
    "exp": _from_python(math.exp),
    "tanh": _from_python(math.tanh),
    "sqrt": _from_python(math.sqrt),
    "sin": _from_python(math.sin),
    "cos": _from_python(math.cos),
    "sigmoid": scipy.special.expit,
}


@pytest.mark.parametrize("name", spec.UNARY)
def test_unary_functions(name):
    assert_close(name, result_of(f"ewise_{name}", view_of(INTERESTING)), UNARY[name](INTERESTING))


@pytest.mark.parametrize(
    "x, expected", [(-1000.0, 0.0), (1000.0, 1.0), (-700.0, math.exp(-700)), (-40.0, math.exp(-40))]
)
def test_sigmoid_neither_overflows_nor_cancels(x, expected):
    assert result_of("ewise_sigmoid", view_of(x)) == pytest.approx(expected, rel=1e-15, abs=0)


def _power(x, y):
    """Python's power, with the infinities and NaNs of IEEE 754 where Python raises."""
    if isinstance(x, int):
        return x**y
    try:
        return math.pow(x, y)
    except ValueError:
        if x != 0:
            return math.nan
        return math.copysign(math.inf, x) if y % 2 == 1 else math.inf


def _divide(x, y):
    """Python's quotient, with the infinities and NaNs of IEEE 754 where Python raises."""
    if y != 0:
        return x / y
    return math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x) * math.copysign(1, y)


def _extreme(choose):
    return lambda x, y: math.nan if math.isnan(x) or math.isnan(y) else choose(x, y)


BINARY = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": _divide,
    "power": _power,
    "maximum": _extreme(max),
    "minimum": _extreme(min),
    "eq": operator.eq,
    "ne": operator.ne,
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
}
REVERSED = {f"r{name}": lambda x, y, f=BINARY[name]: f(y, x) for name in ("sub", "div", "power")}


@pytest.mark.parametrize("name", spec.BINARY | spec.COMPARISON)
def test_binary_functions(name):
    pairs = list(itertools.product(INTERESTING, INTERESTING))
    a, b = (view_of(numbers) for numbers in zip(*pairs))
    expected = [BINARY[name](x, y) for x, y in pairs]
    assert_close(name, result_of(f"ewise_{name}", a, b), expected)


@pytest.mark.parametrize("name", spec.BINARY | spec.COMPARISON | spec.REVERSED)
@pytest.mark.parametrize("value", INTERESTING)
def test_functions_with_a_number(name, value):
    expected = [(BINARY | REVERSED)[name](x, value) for x in INTERESTING]
    assert_close(name, result_of(f"scalar_{name}", view_of(INTERESTING), value), expected)


@pytest.mark.parametrize("name", [name for name in spec.BINARY if name != "div"])
def test_integers_wrap_around(name):
    pairs = list(itertools.product([0, 1, 2, 3, 7, 100, 255], repeat=2))
    a, b = (view_of(numbers, "uint8") for numbers in zip(*pairs))
    expected = [BINARY[name](x, y) % 256 for x, y in pairs]
    assert result_of(f"ewise_{name}", a, b).tolist() == expected


def test_add_and_mul_of_bool_are_or_and_and():
    a, b = view_of([0, 0, 1, 1], "bool"), view_of([0, 1, 0, 1], "bool")
    assert result_of("ewise_add", a, b).tolist() == [False, True, True, True]
    assert result_of("ewise_mul", a, b).tolist() == [False, False, False, True]
    assert result_of("ewise_maximum", a, b).tolist() == [False, True, True, True]


@pytest.mark.parametrize("dtype", spec.DTYPES)
def test_comparisons_give_floats(dtype):
    a = view_of([0, 1, 1], dtype)
    float_dtype = "float64" if dtype == "float64" else "float32"
    result = result_of("scalar_ge", a, 1, dtype=float_dtype)
    assert result.dtype == float_dtype and result.tolist() == [0, 1, 1]


@pytest.mark.parametrize("name", INEXACT)
@pytest.mark.parametrize("dtype", cases.FLOATS)
def test_numpy_is_within_the_bound_for_lifted_devices(name, dtype):
    rng = np.random.default_rng(0)
    x, y = (np.abs(cases.values(2000, dtype, rng)) for _ in range(2))
    if name == "rpower":
        got, inputs = result_of("scalar_rpower", view_of(x, dtype), 1.5), (x, np.asarray(1.5, dtype))
    elif name == "power":
        got, inputs = result_of("ewise_power", view_of(x, dtype), view_of(y, dtype)), (x, y)
    else:
        got, inputs = result_of(f"ewise_{name}", view_of(x, dtype)), (x,)
    with np.errstate(all="ignore"):
        exact = INEXACT[name][0](*(z.astype(np.longdouble) for z in inputs))
    assert ulp_error(got, exact).max() <= NUMPY_ULP


def test_where_chooses():
    condition = view_of([1, 0, 1], "bool")
    assert result_of("where", condition, view_of([1, 2, 3]), view_of([4, 5, 6]), dtype="float64").tolist() == [1, 5, 3]


@pytest.mark.parametrize(
    "source, target, given, expected",
    [
        ("float64", "int32", [-1.9, 1.9, 0.5], [-1, 1, 0]),
        ("float64", "bool", [0.0, -0.0, 0.1, math.nan], [False, False, True, True]),
        ("int32", "uint8", [-1, 256, 511], [255, 0, 255]),
        ("int64", "int32", [2**31, 2**32 + 5], [-(2**31), 5]),
        ("bool", "float32", [False, True], [0.0, 1.0]),
        ("float64", "float32", [0.1, 1e300], [float(np.float32(0.1)), math.inf]),
        ("int64", "float64", [2**53 + 1], [2.0**53]),
    ],
)
def test_copy_casts_as_c_does(source, target, given, expected):
    assert result_of("copy", view_of(given, source), dtype=target).tolist() == expected


@pytest.mark.parametrize("dtype", spec.DTYPES)
def test_fill(dtype):
    out = view_of([0, 0], dtype)
    spec.fill(out, 1)
    assert spec.to_numpy(out).tolist() == [1, 1]


# Fused ----------------------------------------------------------------------------------------------------------------

LOGITS = [[1.0, 2.0, -3.0], [1e4, 1e4, 0.0], [-1e4, -1e4, -1e4], [-math.inf, 0.0, 1.0], [1e308, -1e308, 0.0]]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # SciPy's
@pytest.mark.parametrize("axes", [(), (0,), (1,), (0, 1)])
def test_logsumexp_is_that_of_scipy(axes):
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate((5, 3)))
    got = result_of("logsumexp", view_of(LOGITS), shape=shape)
    expected = scipy.special.logsumexp(LOGITS, axis=axes, keepdims=True) if axes else LOGITS
    np.testing.assert_allclose(got, expected, rtol=1e-15)


@pytest.mark.parametrize(
    "row, expected",
    [
        ([-math.inf, -math.inf], -math.inf),
        ([math.inf, 0.0], math.inf),
        ([math.inf, -math.inf], math.inf),
        ([math.inf, math.nan], math.nan),
        ([1.0, math.nan], math.nan),
        ([], -math.inf),
    ],
)
def test_logsumexp_of_infinities_and_of_nothing(row, expected):
    np.testing.assert_equal(result_of("logsumexp", view_of(row), shape=(1,)).item(), expected)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # SciPy's
def test_softmax_is_that_of_scipy():
    np.testing.assert_allclose(result_of("softmax", view_of(LOGITS)), scipy.special.softmax(LOGITS, axis=1), rtol=1e-15)
    np.testing.assert_equal(
        result_of("softmax", view_of([[math.inf, 0], [math.nan, 0]])), [[math.nan, 0], [math.nan] * 2]
    )
    assert result_of("softmax", view_of(np.empty((2, 0)))).shape == (2, 0)


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_the_optimizers_follow_their_formulas(weight_decay):
    w, g, u, m, v = (np.random.default_rng(i).random(7) for i in range(5))
    views = [view_of(x) for x in (w, g, u, m, v)]
    new = [spec.View.alloc((7,), "float64") for _ in range(3)]
    decayed = g + weight_decay * w

    spec.sgd_plain(*views[:2], 0.1, weight_decay, new[0])
    np.testing.assert_allclose(new[0].as_numpy(), w - 0.1 * decayed, rtol=1e-15)

    spec.sgd(*views[:3], 0.1, 0.9, weight_decay, *new[:2])
    np.testing.assert_allclose(new[1].as_numpy(), 0.9 * u + 0.1 * decayed, rtol=1e-14)
    np.testing.assert_allclose(new[0].as_numpy(), w - 0.1 * (0.9 * u + 0.1 * decayed), rtol=1e-14)

    spec.adam(*views[:2], *views[3:], 0.1, 0.9, 0.99, 1e-3, weight_decay, *new)
    first, second = 0.9 * m + 0.1 * decayed, 0.99 * v + 0.01 * decayed**2
    np.testing.assert_allclose(new[1].as_numpy(), first, rtol=1e-14)
    np.testing.assert_allclose(new[2].as_numpy(), second, rtol=1e-14)
    np.testing.assert_allclose(new[0].as_numpy(), w - 0.1 * first / (np.sqrt(second) + 1e-3), rtol=1e-14)


def test_no_weight_decay_adds_nothing_even_to_infinite_weights():
    out = spec.View.alloc((1,), "float64")
    spec.sgd_plain(view_of([math.inf]), view_of([1.0]), 0.1, 0, out)
    assert out.as_numpy().item() == math.inf


# Reductions, products, indexing ---------------------------------------------------------------------------------------

CUBE = [[[3.0, -1.0, 2.0], [3.0, 0.5, 9.0]], [[-4.0, 9.0, 0.0], [7.0, 7.0, -2.0]]]


def test_reductions_by_hand():
    a = view_of(CUBE)
    assert result_of("reduce_sum", a, shape=(1, 1, 1)).tolist() == [[[33.5]]]
    assert result_of("reduce_sum", a, shape=(2, 1, 1)).ravel().tolist() == [16.5, 17.0]
    assert result_of("reduce_max", a, shape=(1, 2, 1)).ravel().tolist() == [9.0, 9.0]
    assert result_of("reduce_min", a, shape=(1, 1, 3)).ravel().tolist() == [-4.0, -1.0, -2.0]
    assert result_of("reduce_argmax", a, shape=(1, 1, 1), dtype="int64").tolist() == [[[5]]]
    assert result_of("reduce_argmax", a, shape=(2, 2, 1), dtype="int64").ravel().tolist() == [0, 2, 1, 0]
    assert result_of("reduce_argmax", a, shape=(1, 2, 1), dtype="int64").ravel().tolist() == [4, 2]
    assert result_of("reduce_max", a, shape=(2, 2, 3)).tolist() == CUBE


def test_empty_sums_are_zero_and_integers_sum_in_64_bits():
    assert result_of("reduce_sum", view_of(np.empty((2, 0))), shape=(2, 1)).tolist() == [[0.0], [0.0]]
    assert result_of("reduce_sum", view_of([200] * 10, "uint8"), shape=(1,), dtype="int64").tolist() == [2000]
    assert result_of("reduce_sum", view_of([1, 1, 0], "bool"), shape=(1,), dtype="int64").tolist() == [2]
    largest = 2**31 - 1
    assert result_of("reduce_sum", view_of([largest] * 3, "int32"), shape=(1,), dtype="int64").tolist() == [3 * largest]


def test_a_nan_is_the_largest_the_smallest_and_found_first():
    a = view_of([1.0, math.nan, 5.0, math.nan])
    assert math.isnan(result_of("reduce_max", a, shape=(1,)).item())
    assert math.isnan(result_of("reduce_min", a, shape=(1,)).item())
    assert result_of("reduce_argmax", a, shape=(1,), dtype="int64").item() == 1


@settings(max_examples=50, deadline=None)
@given(call=cases.reduction_calls("reduce_sum"))
def test_float_sums_are_as_exact_as_their_bound(call):
    got = call.run(spec)
    assert_right(call, got, got)
    if got.dtype == "float64" and call.operands[0].layout.size < 500:
        a = call.operands[0].elements
        out = got[call.out.layout.positions()]
        if np.isfinite(a).all():
            axes = [i for i, (n, m) in enumerate(zip(a.shape, out.shape)) if n != m]
            rows = np.moveaxis(a, axes, range(-len(axes), 0)).reshape(out.size, -1) if out.size else np.empty((0, 0))
            sizes = np.abs(rows).sum(axis=1)
            exact = [math.fsum(row) for row in rows]
            assert (np.abs(out.ravel() - exact) <= rows.shape[1] * 2.0**-53 * sizes).all()


@pytest.mark.parametrize("dtype", [dtype for dtype in spec.DTYPES if dtype != "bool"])
def test_matmul_is_the_sum_of_products(dtype):
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 9, (2, 3, 4)), rng.integers(0, 9, (2, 4, 5))
    got = result_of("matmul", view_of(a, dtype), view_of(b, dtype), shape=(2, 3, 5))
    for s, i, j in itertools.product(range(2), range(3), range(5)):
        expected = sum(int(a[s, i, k]) * int(b[s, k, j]) for k in range(4))
        assert got[s, i, j] == (expected % 256 if dtype == "uint8" else expected)
    nothing = result_of("matmul", view_of(np.empty((2, 0)), dtype), view_of(np.empty((0, 3)), dtype), shape=(2, 3))
    assert nothing.tolist() == [[0, 0, 0]] * 2


def test_gather_and_scatter_add_are_transposes():
    """<gather(a), g> = <a, scatter_add(g)>, and both do what their index formulas say."""
    rng = np.random.default_rng(2)
    a, g, chosen = rng.random((3, 4)), rng.random((3, 6)), [1, 3, 3, 0, 1, 1]
    indices = view_of(chosen, "int64")
    gathered = result_of("gather", view_of(a), indices, 1, shape=(3, 6))
    assert gathered.tolist() == [[row[j] for j in chosen] for row in a.tolist()]
    scattered = view_of(np.zeros((3, 4)))
    spec.scatter_add(view_of(g), indices, 1, scattered)
    expected = np.zeros((3, 4))
    for i, (j, position) in itertools.product(range(3), enumerate(chosen)):
        expected[i, position] += g[i, j]
    np.testing.assert_array_equal(spec.to_numpy(scattered), expected)
    assert np.vdot(gathered, g) == pytest.approx(np.vdot(a, spec.to_numpy(scattered)))


@pytest.mark.parametrize("dtype", spec.DTYPES)
def test_one_hot_rows_are_rows_of_the_identity(dtype):
    for index_dtype in ("int64", "float32", "uint8"):
        got = result_of("set_one_hot", view_of([2, 0, 2], index_dtype), shape=(3, 4), dtype=dtype)
        np.testing.assert_array_equal(got, np.eye(4, dtype=dtype)[[2, 0, 2]])
