"""Views: reshape, permute, broadcast_to, flip and slices share memory; reading and writing them is NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from needle import backend_ndarray as nd
from needle.backend_ndarray import NDArray

DEVICES = [nd.cpu(), nd.cpu_numpy(), nd.cpu_simple()]


@pytest.fixture(params=DEVICES, ids=str)
def device(request):
    """Every device of Needle's arrays."""
    return request.param


def counting(*shape: int, device: nd.Device) -> tuple[NDArray, np.ndarray]:
    """0, 1, 2, ... in both libraries."""
    x = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    return nd.array(x, device=device), x


def is_view(a: NDArray, base: NDArray) -> bool:
    """Whether both live in one buffer."""
    return a._handle.ptr() == base._handle.ptr()


VIEWS = [
    ("reshape", (2, 3, 4), lambda a: a.reshape((6, 4)), lambda x: x.reshape(6, 4)),
    ("reshape -1", (2, 3, 4), lambda a: a.reshape((-1, 2)), lambda x: x.reshape(-1, 2)),
    ("reshape by numbers", (2, 6), lambda a: a.reshape(3, 4), lambda x: x.reshape(3, 4)),
    ("reshape to 0-d", (1, 1), lambda a: a.reshape(()), lambda x: x.reshape(())),
    ("flat", (2, 3), lambda a: a.flat, lambda x: x.reshape(-1)),
    ("permute", (2, 3, 4), lambda a: a.permute((2, 0, 1)), lambda x: x.transpose(2, 0, 1)),
    ("permute negative", (2, 3, 4), lambda a: a.permute((-1, 0, 1)), lambda x: x.transpose(2, 0, 1)),
    ("transpose", (2, 3, 4), lambda a: a.transpose(), lambda x: x.T),
    ("T", (2, 3), lambda a: a.T, lambda x: x.T),
    ("flip", (2, 3, 4), lambda a: a.flip((0, 2)), lambda x: x[::-1, :, ::-1]),
    ("flip all", (2, 3), lambda a: a.flip(), lambda x: x[::-1, ::-1]),
    ("flip one", (2, 3), lambda a: a.flip(-1), lambda x: x[:, ::-1]),
    ("int", (3, 4), lambda a: a[1], lambda x: x[1:2]),
    ("ints", (3, 4), lambda a: a[-1, 2], lambda x: x[2:3, 2:3]),
    ("slice", (5, 4), lambda a: a[1:5:2, ::-1], lambda x: x[1:5:2, ::-1]),
    ("negative step", (5, 4), lambda a: a[-2:0:-2], lambda x: x[-2:0:-2]),
    ("None", (3, 4), lambda a: a[None, :, None], lambda x: x[None, :, None]),
    ("None, then reshape", (3, 4), lambda a: a[:, None].reshape((3, 4)), lambda x: x),
    ("Ellipsis", (2, 3, 4), lambda a: a[..., 1:2], lambda x: x[..., 1:2]),
    ("as_strided", (3, 4), lambda a: a.as_strided((3, 2), (4, 2), 1), lambda x: x[:, 1::2]),
    ("slice of flip of transpose", (4, 6), lambda a: a.T.flip(0)[1:4, ::2], lambda x: x.T[::-1][1:4, ::2]),
]


@pytest.mark.parametrize(("shape", "view", "reference"), [v[1:] for v in VIEWS], ids=[v[0] for v in VIEWS])
class TestViews:
    def test_have_numpys_elements_and_strides_in_the_same_memory(self, shape, view, reference, device):
        a, x = counting(*shape, device=device)
        v, y = view(a), reference(x)
        assert is_view(v, a)
        np.testing.assert_array_equal(v.numpy(), y)
        assert [s for s, n in zip(v.strides, v.shape) if n > 1] == [s // 4 for s, n in zip(y.strides, y.shape) if n > 1]

    def test_pass_on_what_is_written_to_them(self, shape, view, reference, device):
        a, x = counting(*shape, device=device)
        view(a)[...] = -1
        reference(x)[...] = -1
        np.testing.assert_array_equal(a.numpy(), x)

    def test_raise_the_version_of_their_buffer_when_written_to(self, shape, view, reference, device):
        a, _ = counting(*shape, device=device)
        before = a._view.version
        view(a)[...] = -1
        assert a._view.version > before


def test_broadcast_to_repeats_without_copying(device):
    a, x = counting(2, 1, 3, device=device)
    b = a.broadcast_to((4, 2, 5, 3))
    assert is_view(b, a) and b.strides == (0, 3, 0, 1)
    np.testing.assert_array_equal(b.numpy(), np.broadcast_to(x, (4, 2, 5, 3)))
    np.testing.assert_array_equal(nd.array(7.0, device=device).broadcast_to((2, 2)).numpy(), np.full((2, 2), 7))
    assert nd.zeros((1, 0), device=device).broadcast_to((3, 0)).shape == (3, 0)
    assert nd.zeros((1,), device=device).broadcast_to((0,)).shape == (0,)


def test_a_broadcast_array_cannot_be_written_to(device):
    """Several of its elements are one; NumPy refuses, too."""
    a = nd.array([1.0], device=device)
    b = a.broadcast_to((3,))
    for write in (lambda: b.__setitem__(..., [1, 2, 3]), lambda: b.__setitem__(slice(0, 2), 5), lambda: b.fill(2)):
        with pytest.raises(ValueError, match="broadcast"):
            write()
    assert a.numpy().tolist() == [1]
    b[1] = 4  # one element alone is fine
    assert a.numpy().tolist() == [4]


def test_reshaping_what_does_not_lie_in_order_copies(device):
    a, x = counting(3, 4, device=device)
    b = a.T.reshape((12,))
    assert not is_view(b, a)
    np.testing.assert_array_equal(b.numpy(), x.T.reshape(12))


def test_compact_gives_the_array_itself_or_a_copy_in_order(device):
    a, _ = counting(3, 4, device=device)
    assert a.compact() is a
    for view in (a.T, a[1:], a[:, ::2], a.broadcast_to((2, 3, 4))):
        assert not view.is_compact()
        compact = view.compact()
        assert compact.is_compact() and not is_view(compact, a)
        np.testing.assert_array_equal(compact.numpy(), view.numpy())


@pytest.mark.parametrize("extent", [0, 1, 5])
@pytest.mark.parametrize(
    "s",
    [
        slice(None),
        slice(1, 3),
        slice(-2, None),
        slice(None, None, -1),
        slice(4, 0, -2),
        slice(9, 20),
        slice(3, 1),
        slice(-9, 9, 2),
    ],
)
def test_process_slice_fills_in_start_stop_and_step(s, extent):
    a = nd.zeros((2, extent))
    filled = a.process_slice(s, 1)
    positions = list(range(*s.indices(extent)))
    assert list(range(filled.start, filled.stop, filled.step)) == positions
    assert None not in (filled.start, filled.stop, filled.step)
    if not positions:
        assert filled.start == filled.stop


class TestErrors:
    @pytest.mark.parametrize(
        ("call", "error", "said"),
        [
            (lambda a: a.reshape((5,)), ValueError, r"reshape: .*\(2, 3\).*6 elements.*\(5,\)"),
            (lambda a: a.reshape((-1, -1)), ValueError, "reshape"),
            (lambda a: a.reshape((4, -1)), ValueError, "reshape"),
            (lambda a: a.reshape((-2, -3)), ValueError, "reshape"),
            (lambda a: a.permute((0, 0)), ValueError, r"permute: \(0, 0\).*\(2, 3\)"),
            (lambda a: a.permute((0,)), ValueError, "permute"),
            (lambda a: a.permute((0, 2)), ValueError, "permute"),
            (lambda a: a.broadcast_to((3, 3)), ValueError, r"broadcast_to: .*\(2, 3\).*\(3, 3\)"),
            (lambda a: a.broadcast_to((3,)), ValueError, "broadcast_to"),
            (lambda a: a[0:1].broadcast_to((-1, 3)), ValueError, "broadcast_to|negative"),
            (lambda a: a.flip(2), np.exceptions.AxisError, "flip: axis 2"),
            (lambda a: a[2], IndexError, "index 2 is out of bounds for axis 0 with extent 2"),
            (lambda a: a[0, -4], IndexError, "index -4 is out of bounds for axis 1"),
            (lambda a: a[0, 0, 0], IndexError, "too many indices: 3 for an array with 2 axes"),
            (lambda a: a[..., ...], IndexError, "ellipsis"),
            (lambda a: a[1.5], IndexError, "float"),
            (lambda a: a["x"], IndexError, "str"),
            (lambda a: a[[0, 1]], IndexError, "take"),
            (lambda a: a[::0], ValueError, "zero"),
            (lambda a: a.as_strided((2, 4), (3, 1)), ValueError, "buffer|outside|View"),
            (lambda a: a.as_strided((2,), (1,), offset=5), ValueError, "buffer|outside|View"),
            (lambda a: a.as_strided((2,), (-1,), offset=0), ValueError, "buffer|outside|View"),
            (lambda a: a.__setitem__(0, np.zeros(4)), ValueError, r"\(4,\)"),
            (lambda a: a.__setitem__(0, np.zeros((2, 3))), ValueError, r"\(2, 3\)"),
            (lambda a: a.pad(((1, 1),)), ValueError, "pad"),
            (lambda a: a.pad(((1, -1), (0, 0))), ValueError, "pad"),
        ],
    )
    def test_say_what_was_wrong(self, call, error, said, device):
        a = nd.zeros((2, 3), device=device)
        with pytest.raises(error, match=said):
            call(a).numpy()


# Slicing against NumPy ------------------------------------------------------------------------------------------------


@st.composite
def shapes_and_indices(draw):
    """A shape of up to four axes, and an index of ints, slices, None and Ellipsis for it."""
    shape = tuple(draw(st.lists(st.integers(0, 5), min_size=0, max_size=4)))
    given_axes = draw(st.integers(0, len(shape)))
    parts = []
    for extent in shape[:given_axes]:
        bound = st.none() | st.integers(-7, 7)
        slices = st.builds(slice, bound, bound, st.none() | st.integers(-3, 3).filter(bool))
        parts.append(draw(slices | st.integers(-extent, extent - 1) if extent else slices))
    if draw(st.booleans()):
        hole = draw(st.integers(0, len(parts)))
        parts[hole:] = [Ellipsis, *_for_last_axes(draw, shape, parts[hole:])]
    for position in sorted(draw(st.lists(st.integers(0, len(parts)), max_size=2)), reverse=True):
        parts.insert(position, None)
    return shape, tuple(parts)


def _for_last_axes(draw, shape, parts):
    """Slices, as many as `parts`, which fit any axis."""
    return [slice(None, None, draw(st.sampled_from([1, -1, 2]))) for _ in parts]


def numpys(index, x):
    """`x[index]` by NumPy, where an int keeps its axis."""
    expanded = []
    given = sum(part is not None and part is not Ellipsis for part in index)
    axis = 0
    for part in index:
        if part is Ellipsis:
            axis += x.ndim - given
            expanded.append(part)
        elif part is None:
            expanded.append(part)
        else:
            kept = part if isinstance(part, slice) else slice(part % x.shape[axis], part % x.shape[axis] + 1)
            expanded.append(kept)
            axis += 1
    return x[tuple(expanded if Ellipsis in expanded else [*expanded, Ellipsis])]


@settings(max_examples=150, deadline=None)
@given(shapes_and_indices())
def test_reading_and_writing_slices_is_numpys(case):
    shape, index = case
    for device in DEVICES:
        a, x = counting(*shape, device=device)
        view, expected = a[index], numpys(index, x)
        assert view.shape == expected.shape
        np.testing.assert_array_equal(view.numpy(), expected)
        values = -np.arange(expected.size, dtype="float32").reshape(expected.shape) - 1
        a[index] = values
        expected[...] = values
        np.testing.assert_array_equal(a.numpy(), x)
        a[index] = 100
        expected[...] = 100
        np.testing.assert_array_equal(a.numpy(), x)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_writing_between_overlapping_views_reads_before_it_writes(n, m, data):
    views = [
        lambda v: v,
        lambda v: v[::-1],
        lambda v: v[:, ::-1],
        lambda v: v[::-1, ::-1],
        lambda v: v[:1],
        lambda v: v[-1:],
    ]
    if n == m:
        views.append(lambda v: v.transpose((1, 0)) if isinstance(v, np.ndarray) else v.permute((1, 0)))
    source = data.draw(st.sampled_from(views))
    target = data.draw(st.sampled_from(views[:4]))
    for device in DEVICES:
        a, x = counting(n, m, device=device)
        target(a)[...] = source(a)
        target(x)[...] = source(x).copy()
        np.testing.assert_array_equal(a.numpy(), x)


class TestSetitem:
    def test_broadcasts_what_is_written(self, device):
        a, x = counting(3, 4, device=device)
        for index, value in [
            (1, np.arange(4)),
            (slice(None), np.arange(3)[:, None]),
            ((slice(0, 2), 1), 9),
            (0, np.full((1, 4), 7)),
        ]:
            a[index] = nd.array(value, device=device) if isinstance(value, np.ndarray) else value
            x[index] = value
            np.testing.assert_array_equal(a.numpy(), x)

    def test_takes_the_courses_shapes_for_an_int(self, device):
        a = nd.zeros((2, 3), device=device)
        a[0] = nd.ones((1, 3), device=device)
        a[1] = nd.ones((3,), device=device)
        a[1, 2] = nd.full((1, 1), 5, device=device)
        assert a.numpy().tolist() == [[1, 1, 1], [1, 1, 5]]

    def test_casts_to_the_arrays_dtype(self, device):
        a = nd.zeros((3,), dtype="int32", device=device)
        a[...] = nd.array([1.7, -1.7, 3.0], device=device)
        assert a.numpy().tolist() == [1, -1, 3]
        a[0] = 2.9
        a[1] = True
        assert a.numpy().tolist() == [2, 1, 3]

    def test_takes_numpy_scalars_and_arrays(self, device):
        a = nd.zeros((2,), device=device)
        a[0], a[1] = np.float32(1.5), np.array([2.5])
        assert a.numpy().tolist() == [1.5, 2.5]

    def test_of_a_number_that_does_not_fit_is_an_overflow_error(self, device):
        a = nd.zeros((2,), dtype="uint8", device=device)
        for number in (256, -1):
            with pytest.raises(OverflowError, match=str(number)):
                a[...] = number
            with pytest.raises(OverflowError, match=str(number)):
                a.fill(number)

    def test_of_nothing_writes_nothing(self, device):
        a, x = counting(3, device=device)
        a[1:1] = 5
        a[3:] = nd.zeros((0,), device=device)
        np.testing.assert_array_equal(a.numpy(), x)


@pytest.mark.parametrize("device", [nd.cpu(), nd.cpu_numpy()], ids=str)
def test_a_view_sums_up_its_elements_as_numpy_does(device: nd.Device) -> None:
    values = np.random.default_rng(0).standard_normal((7, 5, 300)).round(1)
    array = nd.array(values, device=device)
    views = [array, array.permute((2, 0, 1)), array[1:6:2, :, 3:], array[0, 0, :1], array.flip((2,))]
    views += [nd.array([[2.0], [0.0]], device=device).broadcast_to((2, 9)), array.sum()]
    for view in views:
        assert view._view.is_finite()
        low, high, mean, zeros, size = view._view.summary()
        elements = view.numpy()
        assert (low, high) == (elements.min(), elements.max()) and size == elements.size
        assert zeros == np.count_nonzero(elements == 0)
        np.testing.assert_allclose(mean, elements.mean(dtype="float64"), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("device", [nd.cpu(), nd.cpu_numpy()], ids=str)
def test_a_view_that_is_not_all_finite_float32_is_not_summed_up(device: nd.Device) -> None:
    for values in ([1, np.nan], [np.inf, 0], [[]]):
        view = nd.array(values, device=device)._view
        assert view.summary() is None and view.is_finite() is False
    for dtype in ("float64", "int32", "bool"):
        view = nd.array([1, 0], device=device, dtype=dtype)._view
        assert view.summary() is None and view.is_finite() is False
    many = np.ones(3000)
    many[1717] = np.nan
    assert nd.array(many, device=device)._view.summary() is None


def test_the_footprint_of_a_view_is_its_memory_if_that_is_its_own(device):
    x = nd.array(np.arange(12.0), device=device).reshape((3, 4))
    buffer = x._view.handle
    for view in (x, x.permute((1, 0)), x[1:]):
        assert view._view.footprint() == (4 * view.size, buffer.ptr())
    assert x[:1]._view.footprint() is None  # less than half of its buffer
    assert nd.array(np.arange(3), dtype="int64", device=device)._view.footprint()[0] == 24
    module = device.module
    own = module.Array.borrow(np.arange(4, dtype="int32"))
    assert module.View(own, (4,), (1,)).footprint() is None  # somebody else's
