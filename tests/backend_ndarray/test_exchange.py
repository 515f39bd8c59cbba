"""Exchange with NumPy and others: shared memory where it can be, read-only to them, and copies where it cannot."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import weakref

import numpy as np
import pytest

from needle import backend_ndarray as nd
from needle.backend_ndarray.dtypes import DTYPES

DEVICES = [nd.cpu(), nd.cpu_numpy()]


@pytest.fixture(params=DEVICES, ids=str)
def device(request):
    """Every device of Needle's arrays."""
    return request.param


def example(device: nd.Device, dtype: str = "float32") -> nd.NDArray:
    """A 2 x 3 array of zeros and ones."""
    return nd.array([[0, 1, 0], [1, 1, 0]], dtype=dtype, device=device)


class TestNumpy:
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_asarray_shares_the_memory(self, dtype, device):
        a = example(device, dtype)
        x = np.asarray(a)
        assert (x.shape, x.dtype) == (a.shape, dtype)
        a[0, 0] = 1
        assert x[0, 0] == 1

    def test_asarray_of_a_view_has_its_strides(self, device):
        a = example(device)
        for view in (a.T, a[::-1, ::2], a[1], a[:, 0:1].broadcast_to((2, 4))):
            x = np.asarray(view)
            np.testing.assert_array_equal(x, view.numpy())
            a[1, 0] = 5
            np.testing.assert_array_equal(x, view.numpy())

    def test_what_is_shared_is_read_only(self, device):
        for x in (np.asarray(example(device)), example(device).as_numpy()):
            with pytest.raises(ValueError, match="read-only"):
                x[0, 0] = 1

    def test_shared_memory_outlives_the_array(self, device):
        x = np.asarray(example(device))
        gc.collect()
        others = [nd.full((2, 3), 7.0, device=device) for _ in range(8)]
        np.testing.assert_array_equal(x, [[0, 1, 0], [1, 1, 0]])
        assert len(others) == 8

    def test_numpy_and_array_copy(self, device):
        a = example(device)
        for x in (a.numpy(), np.array(a), np.asarray(a, dtype="float64")):
            x[0, 0] = 9
            assert a.numpy()[0, 0] == 0

    def test_numpy_is_compact_and_writable(self, device):
        for a in (example(device).T, example(device).broadcast_to((2, 2, 3)), nd.array(1.0, device=device)):
            assert a.numpy().flags.c_contiguous and a.numpy().flags.writeable

    def test_asarray_without_a_copy_refuses_to_cast(self, device):
        with pytest.raises(ValueError, match="copying"):
            example(device).__array__("float64", copy=False)
        assert example(device).__array__("float32", copy=False).dtype == np.float32

    def test_numpy_functions_take_arrays(self, device):
        a = example(device)
        assert np.sum(np.asarray(a)) == 3
        np.testing.assert_array_equal(np.concatenate([a, a]), np.concatenate([a.numpy(), a.numpy()]))

    def test_zero_size_and_0d(self, device):
        assert np.asarray(nd.zeros((0, 3), device=device)).shape == (0, 3)
        assert np.asarray(nd.array(2.5, device=device)) == 2.5


class TestDLPack:
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_a_consumer_that_knows_read_only_shares_the_memory(self, dtype, device):
        a = example(device, dtype)
        x = np.from_dlpack(a)
        np.testing.assert_array_equal(x, a.numpy())
        a[0, 0] = 1
        assert x[0, 0] == 1 and x.dtype == dtype
        assert not x.flags.writeable

    def test_a_consumer_that_does_not_gets_a_copy(self, device):
        class Old:
            """A producer as an old consumer sees it: no versions."""

            def __init__(self, array):
                self.array = array

            def __dlpack__(self, **ignored):
                return self.array.__dlpack__()

            def __dlpack_device__(self):
                return self.array.__dlpack_device__()

        a = example(device)
        x = np.from_dlpack(Old(a))
        a[0, 0] = 5
        assert x[0, 0] == 0
        with pytest.raises(BufferError, match="read-only"):
            a.__dlpack__(copy=False)

    def test_it_is_memory_of_the_cpu(self, device):
        assert example(device).__dlpack_device__()[0] == 1

    def test_views_are_exported_with_their_strides(self, device):
        a = example(device)
        np.testing.assert_array_equal(np.from_dlpack(a.T[::2]), a.numpy().T[::2])

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_writable_memory_of_others_is_shared_both_ways(self, dtype):
        x = np.array([[0, 1], [1, 0]], dtype=dtype)
        a = nd.from_dlpack(x)
        assert (a.dtype, a.shape, a.device) == (dtype, (2, 2), nd.cpu())
        x[0, 0] = 1
        assert a.numpy()[0, 0] == 1
        a[1, 1] = 1
        assert x[1, 1] == 1

    def test_borrowed_memory_is_kept_alive(self):
        x = np.ones(1000, "float32")
        owner = weakref.ref(x)
        a = nd.from_dlpack(x)
        del x
        gc.collect()
        assert a.sum().item() == 1000
        del a
        gc.collect()
        assert owner() is None

    def test_memory_that_is_read_only_or_not_in_order_is_copied(self):
        x = np.arange(6, dtype="float32").reshape(2, 3)
        frozen = x.copy()
        frozen.flags.writeable = False
        for source in (x.T, x[:, ::2], frozen):
            a = nd.from_dlpack(source)
            np.testing.assert_array_equal(a.numpy(), source)
            a[...] = 0
            assert source.any()

    def test_between_needles_own_arrays_copies_since_exports_are_read_only(self, device):
        a = example(device)
        b = nd.from_dlpack(a)
        b[...] = 5
        assert a.numpy()[0, 0] == 0

    def test_a_dtype_that_needle_lacks_is_refused(self):
        with pytest.raises(TypeError, match="not supported"):
            nd.from_dlpack(np.ones(2, "complex64"))

    def test_something_else_is_refused(self):
        with pytest.raises((TypeError, AttributeError)):
            nd.from_dlpack([1.0])


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python classes can export buffers since 3.12")
class TestBuffer:
    def test_memoryview_shares_read_only(self, device):
        a = example(device)
        view = memoryview(a)
        assert view.readonly and view.shape == (2, 3) and view.format == "f"
        a[0, 0] = 4
        assert view[0, 0] == 4

    def test_a_writable_buffer_is_refused(self, device):
        with pytest.raises((BufferError, TypeError)):
            np.frombuffer(example(device), dtype="float32")[0] = 1
            bytearray(3)[:] = memoryview(example(device)).cast("B")


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
class TestCopies:
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_have_the_same_elements_dtype_and_device_in_memory_of_their_own(self, duplicate, dtype, device):
        a = example(device, dtype)
        b = duplicate(a)
        assert (b.shape, b.dtype, b.device) == (a.shape, a.dtype, a.device)
        np.testing.assert_array_equal(b.numpy(), a.numpy())
        b[...] = 0
        assert a.numpy().any()

    def test_of_views_are_compact(self, duplicate, device):
        for a in (example(device).T, example(device)[0:1].broadcast_to((4, 3)), nd.zeros((0, 2), device=device)):
            b = duplicate(a)
            assert b.is_compact() and b.shape == a.shape
            np.testing.assert_array_equal(b.numpy(), a.numpy())

    def test_of_devices_are_the_device(self, duplicate, device):
        assert duplicate(device) is device


class TestNumpyOperands:
    def test_numpy_leaves_operators_to_needle(self, device):
        a, x = example(device), np.full((2, 3), 2.0, "float32")
        for result in (x + a, x - a, x * a, a + x, a * x, np.float32(2) + a, np.float64(2) * a):
            assert isinstance(result, nd.NDArray) and result.device == device and result.dtype == "float32"
        np.testing.assert_array_equal((x - a).numpy(), x - a.numpy())
        np.testing.assert_array_equal((x == a).numpy(), np.zeros((2, 3)))
