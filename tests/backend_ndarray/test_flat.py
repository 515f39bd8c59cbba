"""A device that has only the required part works, and every operation ends in its own kernels where it has them."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.special

import needle as ndl
from needle import backend_ndarray as nd
from needle import nn
from needle.backend_ndarray import flat
from needle.backend_ndarray import ndarray_backend_numpy as spec
from needle.backend_ndarray.device import Device
from tests.backend_ndarray import minimal_device
from tests.backend_ndarray.kernel_cases import LIFTED


class Recorder:
    """The minimal device, less the kernels `without`, plus `extra` ones; notes the name of every kernel called."""

    def __init__(self, without=(), **extra):
        self.calls = []
        self.Array = minimal_device.Array
        for name in flat.REQUIRED:
            if name not in without:
                setattr(self, name, self._noting(name, getattr(minimal_device, name)))
        for name, kernel in extra.items():
            setattr(self, name, self._noting(name, kernel))

    def _noting(self, name, kernel):
        def noted(*arguments):
            self.calls.append(name)
            return kernel(*arguments)

        return noted


def view_of(device, array):
    """A compact view with the elements of a NumPy array."""
    view = device.View.alloc(array.shape, str(array.dtype))
    device.from_numpy(array, view)
    return view


def transposed(view):
    return type(view)(view.handle, view.shape[::-1], view.strides[::-1], view.offset)


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def device(recorder):
    return flat.lift(recorder)


A = np.arange(1, 7, dtype="float32").reshape(2, 3)


def test_the_minimal_device_is_exactly_the_required_part():
    public = {name for name in vars(minimal_device) if not name.startswith("_")}
    assert public - {"np", "math"} == {"Array", *flat.REQUIRED}


def test_the_documentation_lists_the_required_part():
    listed = set()
    for name, meaning in re.findall(r"^``(\w+)\(.*?``  +(.*)$", flat.__doc__, re.MULTILINE):
        listed |= {name.replace("NAME", each) for each in meaning.rpartition(": ")[2].split(", ")}
    assert listed == {"Array", *flat.REQUIRED}


def test_compact_operands_go_straight_into_the_kernel(device, recorder):
    a, out = view_of(device, A), device.View.alloc((2, 3))
    recorder.calls.clear()
    device.ewise_add(a, a, out)
    assert recorder.calls == ["ewise_add"]
    np.testing.assert_array_equal(device.to_numpy(out), A + A)


def test_other_views_are_compacted_first_and_stored_last(device, recorder):
    a, out = view_of(device, A), transposed(device.View.alloc((2, 3)))
    recorder.calls.clear()
    device.ewise_exp(transposed(a), out)
    assert recorder.calls == ["compact", "ewise_exp", "ewise_setitem"]
    np.testing.assert_array_equal(device.to_numpy(out), np.exp(A.T))


def test_axes_of_extent_one_do_not_make_a_view_less_compact(device, recorder):
    a, out = view_of(device, A.reshape(6, 1)), device.View.alloc((1, 6))
    recorder.calls.clear()
    device.scalar_mul(transposed(a), 2, out)
    assert recorder.calls == ["scalar_mul"]


def test_reductions_put_the_reduced_axes_last(device, recorder):
    a, out = view_of(device, A), device.View.alloc((1, 3))
    recorder.calls.clear()
    device.reduce_sum(a, out)
    assert recorder.calls == ["compact", "reduce_sum"]
    np.testing.assert_array_equal(device.to_numpy(out), [[5, 7, 9]])


def test_a_stack_of_matrices_is_multiplied_one_by_one(device, recorder):
    stack = np.arange(12, dtype="float32").reshape(2, 2, 3)
    a, b = view_of(device, stack), view_of(device, stack.reshape(2, 3, 2))
    out = device.View.alloc((2, 2, 2))
    recorder.calls.clear()
    device.matmul(a, b, out)
    assert recorder.calls.count("matmul") == 2
    np.testing.assert_array_equal(device.to_numpy(out), stack @ stack.reshape(2, 3, 2))
    assert out.version == 1


def test_nothing_to_compute_calls_no_kernel(device, recorder):
    empty, one = device.View.alloc((0, 3)), device.View.alloc((1, 3))
    recorder.calls.clear()
    device.ewise_add(empty, empty, empty)
    device.matmul(device.View.alloc((2, 3)), device.View.alloc((3, 0)), device.View.alloc((2, 0)))
    assert recorder.calls == []
    device.reduce_sum(empty, one)
    assert recorder.calls == ["fill"]
    np.testing.assert_array_equal(device.to_numpy(one), np.zeros((1, 3)))


def test_a_kernel_the_device_lacks_is_computed_on_the_host(device, recorder):
    a, out = view_of(device, A), device.View.alloc((2, 3))
    recorder.calls.clear()
    device.ewise_sin(a, out)
    assert set(recorder.calls) == {"to_numpy", "from_numpy"}
    np.testing.assert_array_equal(device.to_numpy(out), np.sin(A))
    assert (a.version, out.version) == (1, 1)


def test_an_optional_kernel_is_used_where_the_device_has_it():
    def ewise_sin(a, out):
        out.elements[:] = np.sin(a.elements)

    recorder = Recorder(ewise_sin=ewise_sin)
    device = flat.lift(recorder)
    a, out = view_of(device, A), device.View.alloc((2, 3))
    recorder.calls.clear()
    device.ewise_sin(a, out)
    assert recorder.calls == ["ewise_sin"]


def test_a_required_kernel_that_is_missing_is_named_and_not_replaced():
    device = flat.lift(Recorder(without=["ewise_mul", "reduce_max"]))
    a = view_of(device, A)
    device.ewise_add(a, a, a)
    with pytest.raises(NotImplementedError, match=r"no kernel 'ewise_mul'.*required"):
        device.ewise_mul(a, a, a)
    with pytest.raises(NotImplementedError, match=r"no kernel 'reduce_max'.*required"):
        device.reduce_max(a, device.View.alloc((2, 1)))


@pytest.mark.parametrize("dtype", [dtype for dtype in spec.DTYPES if dtype != "float32"])
def test_other_dtypes_live_in_host_memory(device, recorder, dtype):
    a = view_of(device, A.astype(dtype))
    out = device.View.alloc((2, 3), dtype)
    device.copy(transposed(transposed(a)), out)
    assert recorder.calls == []
    assert (out.dtype, out.handle.size, out.handle.nbytes) == (dtype, 6, 6 * np.dtype(dtype).itemsize)
    assert out.handle.ptr() == out.as_numpy().ctypes.data
    np.testing.assert_array_equal(device.to_numpy(out), A.astype(dtype))


def test_casts_cross_between_the_device_and_the_host(device):
    a, wide, back = view_of(device, A), device.View.alloc((2, 3), "float64"), device.View.alloc((2, 3))
    device.copy(a, wide)
    device.scalar_add(wide, 0.5, wide)
    device.copy(transposed(wide), transposed(back))
    np.testing.assert_array_equal(device.to_numpy(back), A + np.float32(0.5))
    assert (wide.version, back.version) == (2, 1)


def test_buffers_tell_their_size_and_address(device):
    buffer = device.Array(10)
    assert (buffer.size, buffer.dtype, buffer.nbytes, buffer.version) == (10, "float32", 40, 0)
    assert buffer.ptr() == buffer.buffer.ptr()


def test_borrow_shares_host_dtypes_and_copies_float32(device):
    wide = np.arange(6, dtype="float64").reshape(2, 3)
    assert device.Array.borrow(wide).ptr() == wide.ctypes.data
    borrowed = device.Array.borrow(A)
    assert borrowed.ptr() != A.ctypes.data
    np.testing.assert_array_equal(device.View(borrowed, (6,), (1,)).as_numpy(), A.ravel())
    assert device.Array.borrow(np.empty((0, 2), "float32")).size == 0


def test_as_numpy_is_read_only(device):
    for dtype in ("float32", "int64"):
        with pytest.raises(ValueError, match="read-only"):
            view_of(device, A.astype(dtype)).as_numpy()[0, 0] = 1


def test_two_lifted_devices_do_not_share_anything():
    first, second = flat.lift(Recorder()), flat.lift(SimpleNamespace(Array=minimal_device.Array, __device_name__="two"))
    assert first.__device_name__ == "flat" and second.__device_name__ == "two"
    view_of(first, A)
    with pytest.raises(NotImplementedError, match="'two' has no kernel 'from_numpy'"):
        view_of(second, A)


# On the device: arrays and whole training steps -----------------------------------------------------------------------


def test_arrays_live_on_a_minimal_device():
    minimal = Device("minimal", LIFTED)
    a = nd.array(A, device=minimal)
    assert a.device == minimal
    np.testing.assert_array_equal((a[:, ::-1] + 1).numpy(), A[:, ::-1] + 1)
    np.testing.assert_array_equal((a @ a.permute((1, 0))).numpy(), A @ A.T)
    np.testing.assert_array_equal((2 - a).sum(axis=0).numpy(), (2 - A).sum(axis=0))
    np.testing.assert_array_equal((a < 3).numpy(), A < 3)
    np.testing.assert_array_equal((a.astype("int64") * 2).numpy(), A.astype("int64") * 2)
    a[0, 1:] = -1
    assert a.numpy().tolist() == [[1, -1, -1], [4, 5, 6]]


def _losses(device):
    """Train a small network for a few steps."""
    np.random.seed(0)
    x = ndl.Tensor(np.random.randn(20, 5), device=device)
    y = ndl.Tensor(np.random.randint(0, 3, 20), device=device)
    model = nn.Sequential(
        nn.Linear(5, 8, device=device), nn.ReLU(), nn.LayerNorm1d(8, device=device), nn.Linear(8, 3, device=device)
    )
    optimizer, losses = ndl.optim.Adam(model.parameters(), lr=0.05), []
    for _ in range(10):
        optimizer.reset_grad()
        loss = nn.SoftmaxLoss()(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.numpy().item())
    return losses


@pytest.mark.skipif(ndl.backend_selection.BACKEND != "nd", reason="tensors hold NumPy arrays")
def test_fused_kernels_do_not_replace_those_of_the_device(device, recorder):
    a = ndl.Tensor(A, device=Device("flat", device))
    recorder.calls.clear()
    result = ndl.softmax(a)
    assert {"ewise_exp", "ewise_log", "reduce_max", "reduce_sum"} <= set(recorder.calls)
    np.testing.assert_allclose(result.numpy(), scipy.special.softmax(A, axis=1), rtol=1e-6)


@pytest.mark.skipif(ndl.backend_selection.BACKEND != "nd", reason="tensors hold NumPy arrays")
def test_a_network_trains_on_a_minimal_device():
    losses = _losses(Device("minimal", LIFTED))
    assert losses[-1] < losses[0] / 2
    np.testing.assert_allclose(losses, _losses(ndl.cpu_numpy()), rtol=1e-4)
