"""The interface that all kernel modules share: what they offer, and that bad operands raise instead of crashing."""

import math

import numpy as np
import pytest

from needle.backend_ndarray import ndarray_backend_numpy as spec
from tests.backend_ndarray.kernel_cases import kernels_of

DEVICES = ["numpy", "cpu", "minimal"]


def view_of(device, array):
    """A compact view with the elements of a NumPy array."""
    view = device.View.alloc(array.shape, str(array.dtype))
    device.from_numpy(array, view)
    return view


@pytest.mark.parametrize("name", [*DEVICES, "meta"])
def test_every_device_offers_every_kernel(name):
    device = kernels_of(name)
    assert device.__device_name__ == name
    missing = [kernel for kernel in spec.KERNELS if not callable(getattr(device, kernel, None))]
    assert missing == (list(spec.FUSED) if name == "minimal" else [])
    array, view = device.Array(6, "int32"), device.View.alloc((2, 3))
    assert not [name for name in ("size", "dtype", "nbytes", "version", "ptr", "borrow") if not hasattr(array, name)]
    attributes = ("handle", "shape", "strides", "offset", "dtype", "version", "stamp", "as_numpy", "footprint")
    assert not [name for name in attributes if not hasattr(view, name)]


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 0, 3), (5, 1, 2, 3)])
@pytest.mark.parametrize("name", [*DEVICES, "meta"])
def test_alloc_gives_compact_views(name, shape):
    device = kernels_of(name)
    for dtype in spec.DTYPES:
        view = device.View.alloc(shape, dtype)
        strides = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
        assert (view.shape, view.strides, view.offset, view.dtype, view.version) == (shape, strides, 0, dtype, 0)
        assert (view.handle.size, view.handle.dtype) == (math.prod(shape), dtype)
        assert view.handle.nbytes == math.prod(shape) * np.dtype(dtype).itemsize


@pytest.mark.parametrize("name", DEVICES)
def test_views_of_one_buffer_share_its_version_and_address(name):
    device = kernels_of(name)
    a = device.View.alloc((2, 3))
    part = device.View(a.handle, (3,), (1,), 3)
    device.fill(part, 1)
    assert (a.version, part.version, a.handle.version) == (1, 1, 1)
    assert part.handle.ptr() == a.handle.ptr()


@pytest.mark.parametrize("name", DEVICES)
def test_a_stamp_is_another_one_after_a_write_and_for_another_view(name):
    device = kernels_of(name)
    a = device.View.alloc((2, 3))
    part = device.View(a.handle, (3,), (1,), 3)
    before = a.stamp
    assert a.stamp == before and part.stamp != before
    device.fill(part, 1)
    assert a.stamp != before and a.stamp == a.stamp
    stamps = [device.View.alloc((2, 3)).stamp for _ in range(10)]  # the memory of each is free for the next one
    assert all(stamps.count(stamp) == 1 for stamp in stamps)


@pytest.mark.parametrize("name", DEVICES)
def test_as_numpy_is_read_only_and_keeps_the_buffer_alive(name):
    device = kernels_of(name)
    shown = view_of(device, np.arange(1e5)).as_numpy()
    device.fill(device.View.alloc((100_000,), "float64"), -1)  # would take the freed memory
    np.testing.assert_array_equal(shown, np.arange(1e5))
    with pytest.raises(ValueError, match="read-only"):
        shown[0] = 1


@pytest.mark.parametrize("bad", [-1, 4, 2**40])
@pytest.mark.parametrize("name", DEVICES)
def test_an_index_out_of_bounds_raises_before_anything_is_written(name, bad):
    device = kernels_of(name)
    a, out, rows = (view_of(device, np.full(shape, 7, "float32")) for shape in [(4, 2), (3, 2), (3, 4)])
    indices = view_of(device, np.array([0, bad, 1]))
    for kernel, operands in [
        ("gather", (a, indices, 0, out)),
        ("scatter_add", (out, indices, 0, a)),
        ("set_one_hot", (indices, rows)),
    ]:
        with pytest.raises(IndexError, match=rf"{bad} is out of bounds for an axis of extent 4"):
            getattr(device, kernel)(*operands)
        assert operands[-1].version == 1
        assert (operands[-1].as_numpy() == 7).all()


@pytest.mark.parametrize("bad, dtype", [(0.5, "float32"), (np.nan, "float64"), (-2, "int32"), (np.inf, "float64")])
@pytest.mark.parametrize("name", DEVICES)
def test_a_class_that_is_none_raises_before_anything_is_written(name, bad, dtype):
    device = kernels_of(name)
    rows = view_of(device, np.full((3, 4), 7, "float32"))
    with pytest.raises(IndexError, match=rf"index {bad} is (not a whole number|out of bounds for an axis of extent 4)"):
        device.set_one_hot(view_of(device, np.array([0, bad, 1], dtype)), rows)
    assert rows.version == 1 and (rows.as_numpy() == 7).all()


# Bad operands of the C++ kernels: an error that names what is wrong --------------------------------------------------


@pytest.fixture
def cpu():
    return kernels_of("cpu")


@pytest.mark.parametrize(
    "shape, strides, offset",
    [
        ((7,), (1,), 0),
        ((2, 3), (3, 1), 1),
        ((3,), (-1,), 1),
        ((1,), (1,), 6),
        ((1,), (1,), -1),
        ((2,), (2**62,), 0),
        ((2**32, 2**32), (0, 0), 2**62),
        ((3, 3), (2**62, 2**62), 0),
        ((-1,), (1,), 0),
        ((2, 3), (3,), 0),
        ((1,) * 17, (1,) * 17, 0),
    ],
)
def test_a_view_must_lie_inside_its_buffer(cpu, shape, strides, offset):
    with pytest.raises((ValueError, MemoryError)):
        cpu.View(cpu.Array(6), shape, strides, offset)


@pytest.mark.parametrize("make", [lambda cpu: cpu.Array(-1), lambda cpu: cpu.View.alloc((2, -3))])
def test_negative_sizes(cpu, make):
    with pytest.raises(ValueError, match="cannot"):
        make(cpu)


@pytest.mark.parametrize("shape", [(2**40, 2**10), (2**62, 2**62), (2**62,)])
def test_more_memory_than_there_is(cpu, shape):
    with pytest.raises(MemoryError):
        cpu.View.alloc(shape, "float64")


@pytest.mark.parametrize("dtype", ["float16", "complex128", "", "int", 4, None, np.float32])
def test_unknown_dtypes(cpu, dtype):
    with pytest.raises(TypeError, match="dtype"):
        cpu.Array(4, dtype)


def _operands(cpu):
    shapes = {"scalar": (), "v3": (3,), "v4": (4,), "m23": (2, 3), "m33": (3, 3), "m22": (2, 2)}
    views = {key: cpu.View.alloc(shape) for key, shape in shapes.items()}
    dtypes = {"double3": "float64", "int3": "int32", "long3": "int64", "bool3": "bool"}
    views |= {key: cpu.View.alloc((3,), dtype) for key, dtype in dtypes.items()}
    for view in views.values():
        cpu.fill(view, 0)
    return views


@pytest.mark.parametrize(
    "error, call",
    [
        (ValueError, "ewise_exp v3 v4"),
        (ValueError, "ewise_add v3 v4 v3"),
        (ValueError, "ewise_add v3 v3 m33"),
        (ValueError, "scalar_add v3 1 v4"),
        (ValueError, "where bool3 v3 v4 v3"),
        (ValueError, "copy m23 m33"),
        (ValueError, "reduce_sum m23 v3"),
        (ValueError, "reduce_max m23 m33"),
        (ValueError, "matmul m23 m23 m22"),
        (ValueError, "matmul m33 m33 m23"),
        (ValueError, "matmul v3 v3 v3"),
        (ValueError, "gather m33 long3 2 m33"),
        (ValueError, "gather m33 long3 -1 m33"),
        (ValueError, "gather m33 long3 0 m23"),
        (ValueError, "scatter_add m23 long3 0 m33"),
        (ValueError, "set_one_hot long3 v3"),
        (ValueError, "set_one_hot long3 m22"),
        (ValueError, "softmax v3 v4"),
        (ValueError, "softmax scalar scalar"),
        (ValueError, "logsumexp m23 v3"),
        (ValueError, "logsumexp m23 m33"),
        (ValueError, "sgd_plain v3 v4 0.1 0 v3"),
        (ValueError, "sgd_plain v3 v3 0.1 0 v4"),
        (ValueError, "sgd v3 v3 v4 0.1 0.9 0 v3 v3"),
        (ValueError, "adam v3 v3 v3 v3 0.1 0.9 0.9 0 0 v3 v3 v4"),
        (ValueError, "softmax_gradient v3 v4 v3"),
        (ValueError, "logsoftmax scalar scalar"),
        (ValueError, "logsoftmax_gradient v3 v3 v4"),
        (ValueError, "softmax_loss v3 v3 scalar"),
        (ValueError, "softmax_loss m23 m33 scalar"),
        (ValueError, "softmax_loss m23 m23 v3"),
        (ValueError, "softmax_loss_gradient m23 m23 v3 m23"),
        (ValueError, "layer_norm v3 v3 v3 0.1 v3"),
        (ValueError, "layer_norm m23 v3 v4 0.1 m23"),
        (ValueError, "layer_norm_gradient m23 v3 m33 0.1 m23 v3 v3"),
        (ValueError, "layer_norm_gradient m23 v3 m23 0.1 m23 v3 v4"),
        (ValueError, "batch_norm scalar v3 v3 0.1 scalar"),
        (ValueError, "batch_norm_gradient m23 v4 m23 0.1 m23 v3 v3"),
        (ValueError, "moments m23 v3 v4"),
        (ValueError, "moments scalar scalar scalar"),
        (TypeError, "layer_norm m23 double3 v3 0.1 m23"),
        (TypeError, "batch_norm m23 v3 v3 'a' m23"),
        (TypeError, "moments int3 v3 v3"),
        (TypeError, "softmax int3 int3"),
        (TypeError, "softmax v3 double3"),
        (TypeError, "logsumexp int3 int3"),
        (TypeError, "logsumexp v3 double3"),
        (TypeError, "sgd_plain int3 int3 0.1 0 int3"),
        (TypeError, "sgd v3 v3 v3 0.1 0.9 0 v3"),
        (TypeError, "sgd v3 double3 v3 0.1 0.9 0 v3 v3"),
        (TypeError, "adam v3 v3 v3 v3 'a' 0.9 0.9 0 0 v3 v3 v3"),
        (TypeError, "ewise_exp int3 int3"),
        (TypeError, "ewise_neg bool3 bool3"),
        (TypeError, "ewise_exp v3 double3"),
        (TypeError, "ewise_add v3 double3 v3"),
        (TypeError, "ewise_div int3 int3 int3"),
        (TypeError, "ewise_sub bool3 bool3 bool3"),
        (TypeError, "ewise_eq double3 double3 v3"),
        (TypeError, "scalar_eq int3 1 int3"),
        (TypeError, "where v3 v3 v3 v3"),
        (TypeError, "reduce_sum int3 int3"),
        (TypeError, "reduce_argmax v3 v3"),
        (TypeError, "matmul bool3 bool3 bool3"),
        (TypeError, "gather m33 int3 0 m33"),
        (TypeError, "scalar_add v3 'a' v3"),
        (TypeError, "scalar_add v3 None v3"),
        (TypeError, "scalar_mul int3 1j int3"),
        (TypeError, "fill v3 'a'"),
        (TypeError, "fill v3 [1]"),
        (OverflowError, "fill int3 2**31"),
        (OverflowError, "scalar_add int3 -2**31-1 int3"),
        (TypeError, "ewise_add v3 v3"),
        (TypeError, "ewise_add v3 v3 v3 v3"),
        (TypeError, "ewise_add v3 None v3"),
        (TypeError, "ewise_exp v3 v3.handle"),
        (TypeError, "gather m33 long3 'a' m33"),
        (TypeError, "to_numpy None"),
        (TypeError, "from_numpy None v3"),
    ],
)
def test_operands_that_do_not_fit(cpu, error, call):
    kernel, *operands = call.split()
    views = _operands(cpu)
    with pytest.raises(error):
        getattr(cpu, kernel)(*(eval(operand, {}, views) for operand in operands))
    assert {view.version for view in views.values()} == {1}


@pytest.mark.parametrize(
    "error, array",
    [
        (ValueError, np.zeros(4, "float32")),
        (ValueError, np.zeros((3, 1), "float32")),
        (ValueError, np.zeros(3, "float64")),
        (TypeError, np.zeros(3, "float16")),
        (TypeError, np.zeros(3, ">f4")),
        (TypeError, np.array(["a", "b", "c"])),
        (TypeError, np.array([None, 1, 2])),
    ],
)
def test_numpy_arrays_that_do_not_fit(cpu, error, array):
    with pytest.raises(error):
        cpu.from_numpy(array, cpu.View.alloc((3,)))


@pytest.mark.parametrize("kernel", ["reduce_max", "reduce_min", "reduce_argmax"])
def test_nothing_has_no_largest_element(cpu, kernel):
    out = cpu.View.alloc((2, 1), "int64" if kernel == "reduce_argmax" else "float32")
    with pytest.raises(ValueError, match="nothing"):
        getattr(cpu, kernel)(cpu.View.alloc((2, 0)), out)


@pytest.mark.parametrize(
    "error, array",
    [
        (TypeError, [1.0, 2.0]),
        (TypeError, np.zeros(3, "float16")),
        (ValueError, np.zeros((4, 4))[:, ::2]),
        (ValueError, np.frombuffer(bytes(16), "float32")),
        (ValueError, np.frombuffer(bytearray(17), "uint8")[1:].view("float32")),
    ],
)
def test_arrays_that_cannot_be_borrowed(cpu, error, array):
    with pytest.raises(error):
        cpu.Array.borrow(array)
