"""NDArray: what it is made from, what it says of itself, its arithmetic, reductions and products, against NumPy."""

from __future__ import annotations

import itertools
import operator

import numpy as np
import pytest

from needle import backend_ndarray as nd
from needle.backend_ndarray import NDArray
from tests.conftest import DEVICES

DEVICES = [nd.cpu(), nd.cpu_numpy(), nd.cpu_simple()] if DEVICES else []

SHAPES = [(), (1,), (5,), (2, 3), (2, 1, 3), (0,), (2, 0, 3)]

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture(params=DEVICES, ids=str)
def device(request):
    """Every device of Needle's arrays."""
    return request.param


def draws(*shape: int, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    """Numbers from -4 to 4, whole for integer dtypes."""
    return (np.random.default_rng(seed).uniform(-4, 4, shape)).astype(dtype)


def pair(array: np.ndarray, device: nd.Device) -> tuple[NDArray, np.ndarray]:
    """The same array in both libraries."""
    return nd.array(array, dtype=array.dtype, device=device), array


def same(given: NDArray, expected: np.ndarray, rtol: float = 1e-6) -> None:
    """Equal in shape, dtype and (up to rounding) values."""
    assert isinstance(given, NDArray)
    assert (given.shape, given.dtype) == (expected.shape, str(expected.dtype))
    np.testing.assert_allclose(given.numpy(), expected, rtol=rtol)


class TestMaking:
    @pytest.mark.parametrize("source", [3, 2.5, True, [1, 2], [[1.5], [2.5]], (1, 2), np.arange(6).reshape(2, 3), []])
    def test_gives_float32_whatever_is_given(self, source, device):
        for a in (nd.array(source, device=device), NDArray(source, device=device)):
            same(a, np.asarray(source, dtype="float32"))
            assert a.device == device and a.is_compact()

    def test_in_a_dtype_that_is_asked_for(self, device):
        for dtype in nd.ndarray_backend_numpy.DTYPES:
            same(nd.array([0, 1, 2], dtype=dtype, device=device), np.array([0, 1, 2], dtype=dtype))

    def test_copies(self, device):
        source = np.ones(3, "float32")
        a = nd.array(source, device=device)
        b = NDArray(a)
        source[0], b[0:1] = 5, 7
        assert a.numpy().tolist() == [1, 1, 1] and b.numpy().tolist() == [7, 1, 1]

    def test_of_an_array_keeps_its_dtype_and_device(self, device):
        a = nd.array([[1, 2], [3, 4]], dtype="int32", device=device).permute((1, 0))
        b = NDArray(a)
        assert (b.dtype, b.device, b.is_compact()) == ("int32", device, True)
        same(b, np.array([[1, 3], [2, 4]], "int32"))

    def test_on_another_device(self):
        for source, target in itertools.permutations(DEVICES, 2):
            a = nd.array([[1.0, 2.0], [3.0, 4.0]], device=source).permute((1, 0))
            for b in (NDArray(a, device=target), a.to(target)):
                assert b.device == target
                same(b, np.array([[1, 3], [2, 4]], "float32"))
            assert a.to(source) is a

    def test_empty_full_zeros_and_ones(self, device):
        assert nd.empty((2, 3), device=device).shape == (2, 3)
        assert nd.empty(3, dtype="int64", device=device).dtype == "int64"
        same(nd.full((2, 3), 2.5, device=device), np.full((2, 3), 2.5, "float32"))
        same(nd.full((), 7, dtype="int32", device=device), np.full((), 7, "int32"))
        same(nd.zeros((0, 2), device=device), np.zeros((0, 2), "float32"))
        same(nd.ones(2, dtype="bool", device=device), np.ones(2, "bool"))

    def test_by_make_over_a_buffer_of_another_array(self, device):
        a = nd.array(np.arange(6), device=device)
        b = NDArray.make((2, 2), strides=(3, 1), device=device, handle=a._handle, offset=1)
        same(b, np.array([[1, 2], [4, 5]], "float32"))
        same(NDArray.make((3, 2), device=device, handle=a._handle), np.arange(6, dtype="float32").reshape(3, 2))
        b[0, 0] = 9
        assert a.numpy()[1] == 9

    def test_by_make_over_a_new_buffer(self, device):
        a = NDArray.make((2, 3), device=device)
        assert (a.shape, a.strides, a.dtype, a.device) == ((2, 3), (3, 1), "float32", device)

    @pytest.mark.parametrize("wrong", ["3", None, 1j, object(), ["a"]])
    def test_from_what_holds_no_numbers_is_a_type_error(self, wrong):
        with pytest.raises(TypeError, match="cannot make an array of numbers from"):
            nd.array(wrong)

    def test_from_a_ragged_list_is_a_value_error(self):
        with pytest.raises(ValueError):
            nd.array([[1, 2], [3]])

    def test_of_a_negative_extent_is_a_value_error(self, device):
        with pytest.raises(ValueError, match=r"negative.*-1"):
            nd.empty((2, -1), device=device)

    def test_on_a_device_that_is_not_there_is_a_value_error(self):
        assert not nd.cuda().enabled()
        for make in (lambda: nd.array([1.0], device=nd.cuda()), lambda: nd.zeros((2,), device=nd.cuda())):
            with pytest.raises(ValueError, match=r"cuda\(\) is not available"):
                make()

    def test_of_more_memory_than_there_is_is_a_memory_error_and_the_process_lives_on(self, device):
        for shape in [(2**45,), (2**20, 2**30)]:
            with pytest.raises(MemoryError):
                nd.empty(shape, device=device)
        same(nd.ones((2,), device=device), np.ones(2, "float32"))


class TestAttributes:
    @pytest.mark.parametrize("shape", SHAPES)
    def test_say_what_the_array_is(self, shape, device):
        a = nd.empty(shape, dtype="float64", device=device)
        expected = np.empty(shape)
        assert (a.shape, a.ndim, a.size, a.nbytes, a.dtype) == (
            shape,
            len(shape),
            expected.size,
            expected.nbytes,
            "float64",
        )
        assert a.device is device and a.is_compact() and a.compact() is a
        if expected.size:
            assert a.strides == tuple(s // 8 for s in expected.strides)

    def test_item_and_conversions_to_python_numbers(self, device):
        a = nd.array([[2.5]], device=device)
        assert (a.item(), float(a), int(a), bool(a)) == (2.5, 2.5, 2, True)
        assert type(nd.array(3, dtype="int64", device=device).item()) is int
        assert nd.array(0, dtype="bool", device=device).item() is False

    def test_more_than_one_element_has_no_item_and_no_truth(self, device):
        a = nd.array([1.0, 2.0], device=device)
        for convert in (NDArray.item, float, int, bool):
            with pytest.raises(ValueError, match=r"\(2,\)"):
                convert(a)

    def test_len_and_iteration_along_the_first_axis(self, device):
        a = nd.array([[1, 2], [3, 4], [5, 6]], device=device)
        assert len(a) == 3
        assert [row.numpy().tolist() for row in a] == [[1, 2], [3, 4], [5, 6]]
        assert [x.shape for x in nd.array([1.0, 2.0], device=device)] == [(), ()]
        for row in a:
            row[0:1] = 0
        assert a.numpy().tolist() == [[0, 2], [0, 4], [0, 6]]

    def test_a_0d_array_has_no_len_and_no_iteration(self, device):
        for function in (len, iter):
            with pytest.raises(TypeError, match="0-d"):
                function(nd.array(1.0, device=device))

    def test_repr_shows_values_shape_dtype_and_device_in_little_room(self, device):
        text = repr(nd.array([[1, 2], [3, 4]], dtype="int32", device=device))
        for part in ("NDArray(", "[1, 2]", "shape=(2, 2)", "dtype=int32", f"device={device}"):
            assert part in text
        assert len(repr(nd.zeros((1000, 1000), device=device))) < 400
        assert "shape=()" in repr(nd.array(1.5, device=device)) and "1.5" in repr(nd.array(1.5, device=device))

    def test_str_is_numpys(self, device):
        a, b = pair(draws(3, 4), device)
        assert str(a) == str(b)

    def test_arrays_are_not_hashable(self):
        with pytest.raises(TypeError):
            hash(nd.array([1.0]))


BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, nd.maximum, nd.minimum]
NUMPY_NAMED = {nd.maximum: np.maximum, nd.minimum: np.minimum}
COMPARISONS = [operator.eq, operator.ne, operator.ge, operator.gt, operator.le, operator.lt]
PAIRS = [((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2,)), ((0, 3), (3,)), ((4, 1, 3), (2, 1))]


class TestArithmetic:
    @pytest.mark.parametrize(("left", "right"), PAIRS)
    @pytest.mark.parametrize("function", BINARY)
    def test_of_two_arrays_broadcasts_as_in_numpy(self, function, left, right, device):
        a, x = pair(np.abs(draws(*left)), device)
        b, y = pair(draws(*right, seed=1), device)
        same(function(a, b), NUMPY_NAMED.get(function, function)(x, y), rtol=2e-6)

    @pytest.mark.parametrize("function", COMPARISONS)
    def test_comparisons_give_float_zeros_and_ones(self, function, device):
        a, x = pair(draws(4, 3).round(), device)
        b, y = pair(draws(3, seed=1).round(), device)
        same(function(a, b), function(x, y).astype("float32"))
        same(function(a, 1), function(x, 1).astype("float32"))
        same(function(1, a), function(1, x).astype("float32"))

    @pytest.mark.parametrize("function", BINARY[:5])
    @pytest.mark.parametrize("number", [2, 0.5, np.float32(3), np.array([2.0])])
    def test_with_a_number_on_either_side(self, function, number, device):
        a, x = pair(np.abs(draws(2, 3)), device)
        expected = float(np.asarray(number).item())
        same(function(a, number), function(x, np.float32(expected)), rtol=2e-6)
        same(function(number, a), function(np.float32(expected), x), rtol=2e-6)

    @pytest.mark.parametrize("function", [*BINARY[:5], *COMPARISONS])
    def test_with_a_numpy_array_or_list_on_either_side(self, function, device):
        a, x = pair(np.abs(draws(2, 3)), device)
        y = np.array([1.0, 2.0, 3.0], "float32")
        for other in (y, y.tolist()):
            same(function(a, other), np.asarray(function(x, y), "float32"), rtol=2e-6)
            same(function(other, a), np.asarray(function(y, x), "float32"), rtol=2e-6)

    @pytest.mark.parametrize(
        ("name", "reference"),
        [(name, getattr(np, name)) for name in ("exp", "log", "tanh", "sqrt", "sin", "cos", "abs", "sign")],
    )
    @pytest.mark.parametrize("shape", SHAPES)
    def test_functions_of_one_array(self, name, reference, shape, device):
        a, x = pair(draws(*shape), device)
        same(getattr(nd, name)(a), reference(x))
        if hasattr(a, name):
            same(getattr(a, name)(), reference(x))
        same(-a, -x)
        same(abs(a), abs(x))

    def test_relu_and_sigmoid(self, device):
        a, x = pair(draws(3, 4), device)
        same(nd.relu(a), np.maximum(x, 0))
        same(nd.sigmoid(a), 1 / (1 + np.exp(-x)))

    def test_takes_operands_of_any_strides(self, device):
        a, x = pair(draws(4, 6), device)
        b, y = pair(draws(3, 4, seed=1), device)
        same(a[::-1, 1::2] + b.permute((1, 0)), x[::-1, 1::2] + y.T)
        same(nd.exp(a.permute((1, 0))[:2]), np.exp(x.T[:2]))
        same(a[:, 0:1].broadcast_to((4, 3)) * b.T, x[:, 0:1] * y.T)

    def test_gives_a_new_array(self, device):
        a = nd.array([1.0, 2.0], device=device)
        for b in (a + 0, a * 1, -a, a.maximum(-100)):
            assert b._handle.ptr() != a._handle.ptr()

    def test_augmented_assignment_makes_a_new_array(self, device):
        a = b = nd.array([1.0, 2.0], device=device)
        b += 1
        assert a.numpy().tolist() == [1, 2] and b.numpy().tolist() == [2, 3]

    @pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
    def test_nan_and_infinities_behave_as_in_numpy(self, special, device):
        x = np.array([special, 1.0, -2.0, 0.0], "float32")
        a = nd.array(x, device=device)
        for function in (lambda v: v + v, lambda v: v - v, lambda v: v / v, lambda v: v * 0, lambda v: v == v):
            np.testing.assert_array_equal(function(a).numpy(), np.asarray(function(x), "float32"))
        np.testing.assert_array_equal(nd.maximum(a, 0.5).numpy(), np.maximum(x, np.float32(0.5)))
        for function in ("sum", "max", "min", "argmax"):
            np.testing.assert_array_equal(getattr(nd, function)(a).numpy(), getattr(np, function)(x))

    def test_something_that_is_no_number_is_a_type_error(self, device):
        a = nd.array([1.0], device=device)
        for other in ("1", None, object()):
            with pytest.raises(TypeError):
                a + other
        assert (a == None) is False and (a != "x") is True  # noqa: E711


AXES = [None, 0, -1, (0, 2), (-1, 0), (), (2, 1, 0), [1]]


class TestReductions:
    @pytest.mark.parametrize("axis", AXES, ids=str)
    @pytest.mark.parametrize("keepdims", [False, True])
    @pytest.mark.parametrize("name", ["sum", "max", "min"])
    def test_over_any_axes(self, name, axis, keepdims, device):
        a, x = pair(draws(2, 3, 4), device)
        expected = np.asarray(
            getattr(np, name)(x, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims)
        )
        same(getattr(a, name)(axis=axis, keepdims=keepdims), expected, rtol=1e-5)
        same(getattr(nd, name)(a, axis, keepdims), expected, rtol=1e-5)

    @pytest.mark.parametrize("axis", [None, 0, 1, -1])
    @pytest.mark.parametrize("keepdims", [False, True])
    def test_argmax(self, axis, keepdims, device):
        a, x = pair(draws(2, 3, 4).round(), device)
        same(a.argmax(axis, keepdims), np.asarray(np.argmax(x, axis=axis, keepdims=keepdims)))
        same(nd.argmax(a, axis, keepdims), np.asarray(np.argmax(x, axis=axis, keepdims=keepdims)))

    def test_argmax_over_several_axes_counts_them_in_row_major_order(self, device):
        a, x = pair(draws(2, 3, 4), device)
        same(a.argmax((0, 2)), x.transpose(1, 0, 2).reshape(3, 8).argmax(1))

    def test_of_views(self, device):
        a, x = pair(draws(4, 6), device)
        for view in (lambda v: v[::-1, ::2], lambda v: v.T, lambda v: v[1:3, -1:]):
            same(view(a).sum(0), view(x).sum(0), rtol=1e-5)
            same(view(a).max(1), view(x).max(1))

    def test_of_nothing(self, device):
        a = nd.zeros((2, 0, 3), device=device)
        same(a.sum(1), np.zeros((2, 3), "float32"))
        same(a.sum(), np.zeros((), "float32"))
        assert a.max(0).shape == (0, 3) and a.max((0, 2)).shape == (0,)
        for name in ("max", "min", "argmax"):
            with pytest.raises(ValueError, match=rf"^{name}: .*\(2, 0, 3\)"):
                getattr(a, name)(1)

    @pytest.mark.parametrize("name", ["sum", "max", "min", "argmax"])
    def test_over_an_axis_that_does_not_exist_is_an_axis_error_that_names_the_function(self, name, device):
        a = nd.zeros((2, 3), device=device)
        for axis in (2, -3, (0, 5)):
            with pytest.raises(np.exceptions.AxisError, match=rf"^{name}: axis"):
                getattr(a, name)(axis)
        with pytest.raises(ValueError, match=rf"^{name}: .*twice"):
            getattr(a, name)((0, -2))


class TestMatmul:
    @pytest.mark.parametrize(
        ("left", "right"),
        [
            ((2, 3), (3, 4)),
            ((1, 1), (1, 1)),
            ((5, 2, 3), (3, 4)),
            ((2, 3), (5, 3, 4)),
            ((4, 1, 2, 3), (5, 3, 2)),
            ((0, 3), (3, 2)),
            ((2, 0), (0, 3)),
            ((0, 2, 3), (3, 4)),
        ],
    )
    def test_is_numpys(self, left, right, device):
        a, x = pair(draws(*left), device)
        b, y = pair(draws(*right, seed=1), device)
        for product in (a @ b, nd.matmul(a, b)):
            assert product.shape == (x @ y).shape
            np.testing.assert_allclose(product.numpy(), x @ y, rtol=1e-5, atol=1e-5)

    def test_reads_transposed_and_sliced_operands(self, device):
        a, x = pair(draws(6, 4), device)
        b, y = pair(draws(6, 5, seed=1), device)
        np.testing.assert_allclose((a.T @ b).numpy(), x.T @ y, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose((a[::2].T @ b[::-2]).numpy(), x[::2].T @ y[::-2], rtol=1e-5, atol=1e-5)

    def test_of_integers(self, device):
        a = nd.array([[1, 2], [3, 4]], dtype="int64", device=device)
        same(a @ a, np.array([[7, 10], [15, 22]]))

    @pytest.mark.parametrize(
        ("left", "right"), [((2, 3), (4, 5)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 2, 3), (3, 3, 4))]
    )
    def test_of_shapes_that_do_not_fit_names_both(self, left, right, device):
        a, b = nd.zeros(left, device=device), nd.zeros(right, device=device)
        with pytest.raises(ValueError) as error:
            a @ b
        assert (
            str(error.value).startswith("matmul") and str(left) in str(error.value) and str(right) in str(error.value)
        )


class TestErrors:
    def test_shapes_that_do_not_broadcast_are_named_with_the_function(self, device):
        a, b = nd.zeros((2, 3), device=device), nd.zeros((4,), device=device)
        for function, name in [
            (operator.add, "add"),
            (operator.sub, "sub"),
            (operator.gt, "gt"),
            (nd.maximum, "maximum"),
        ]:
            with pytest.raises(ValueError, match=rf"{name}: shapes \(2, 3\) and \(4,\) do not broadcast"):
                function(a, b)
        with pytest.raises(ValueError, match=r"sub: shapes"):
            np.zeros(4, "float32") - a
        for call in (lambda: nd.where(a, a, b), lambda: nd.where(b, a, a)):
            with pytest.raises(ValueError, match=r"where: shapes"):
                call()

    def test_operands_on_different_devices_are_named_with_the_function(self):
        a, b = nd.zeros((2, 2), device=DEVICES[0]), nd.zeros((2, 2), device=DEVICES[1])
        for function, name in [
            (operator.add, "add"),
            (operator.matmul, "matmul"),
            (lambda a, b: nd.where(a, a, b), "where"),
            (lambda a, b: nd.where(b, a, a), "where"),
            (lambda a, b: nd.concatenate([a, b]), "concatenate"),
            (lambda a, b: nd.stack([a, b]), "stack"),
            (lambda a, b: a.__setitem__(0, b[0]), "setitem"),
        ]:
            with pytest.raises(ValueError, match=rf"{name}: operands are on different devices, cpu"):
                function(a, b)

    def test_errors_while_shapes_are_inferred_name_the_function_too(self):
        a, b = nd.empty((2, 3), device=nd.device.meta()), nd.empty((4,), device=nd.device.meta())
        with pytest.raises(ValueError, match=r"add: shapes \(2, 3\) and \(4,\)"):
            a + b
