"""Buffers of the C++ device: where their memory comes from, who keeps it alive, and when it goes back."""

import gc
import itertools
import os
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.backend_ndarray import ndarray_backend_cpu as cpu

caching = pytest.mark.skipif(
    "asan" in os.environ.get("LD_PRELOAD", ""),
    reason="built for the address sanitizer, without a cache",
)


@pytest.fixture(autouse=True)
def clean_cache():
    gc.collect()
    cpu.empty_cache()
    yield
    gc.collect()
    cpu.empty_cache()


def in_use():
    return cpu.memory_stats()["in_use"]


# Allocation -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000, 16384, 500_000, 1_000_000])
def test_buffers_are_aligned_to_64_bytes(size):
    assert cpu.Array(size).ptr() % 64 == 0
    assert cpu.View.alloc((size, 1), "uint8").handle.ptr() % 64 == 0


@caching
@pytest.mark.parametrize("size", [1, 1000, 1 << 22])
def test_a_freed_buffer_serves_the_next_request_of_its_size(size):
    first = cpu.Array(size)
    address = first.ptr()
    del first
    assert cpu.Array(size).ptr() == address


@given(sizes=st.lists(st.integers(0, 100_000), max_size=30))
def test_buffers_never_overlap_and_statistics_add_up(sizes):
    before = cpu.memory_stats()
    arrays = [cpu.Array(size, "uint8") for size in sizes]
    places = sorted((array.ptr(), array.nbytes) for array in arrays if array.size)
    assert all(start + n <= following for (start, n), (following, _) in itertools.pairwise(places))
    during = cpu.memory_stats()
    used = during["in_use"] - before["in_use"]
    assert sum(sizes) <= used <= sum(max(64, size + 64, size * 9 // 8 + 1) for size in sizes)
    assert during["allocations"] - before["allocations"] == len(sizes)
    assert during["held"] >= during["in_use"]
    assert during["peak"] >= during["in_use"]
    del arrays
    assert in_use() == before["in_use"]


def test_the_peak_can_be_reset():
    big = cpu.Array(1 << 20)
    assert cpu.memory_stats()["peak"] >= in_use() >= big.nbytes
    del big
    cpu.reset_peak()
    assert cpu.memory_stats()["peak"] == in_use()


@caching
def test_empty_cache_gives_memory_back_to_the_system():
    array = cpu.Array(1 << 24)
    cpu.fill(cpu.View(array, (1 << 24,), (1,)), 1)  # touched, so that it is resident
    resident = resident_bytes()
    del array
    stats = cpu.memory_stats()
    assert stats["held"] - stats["in_use"] >= 1 << 26
    cpu.empty_cache()
    stats = cpu.memory_stats()
    assert stats["held"] == stats["in_use"]
    if resident is not None:
        assert resident - resident_bytes() >= 1 << 25


def resident_bytes():
    """Return what the system counts as this process's memory; None where it cannot be asked."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def test_buffers_may_be_freed_by_another_thread():
    before = in_use()
    arrays = [[cpu.Array(n) for n in range(1, 4000, 7)] for _ in range(4)]
    threads = [threading.Thread(target=part.clear) for part in arrays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert in_use() == before


# More memory than there is --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1 << 50,), (1 << 62,), (1 << 40, 1 << 40), (1 << 31, 1 << 32, 4)])
def test_impossible_sizes_raise_memory_error(shape):
    before = in_use()
    with pytest.raises(MemoryError):
        cpu.View.alloc(shape, "float64")
    assert in_use() == before
    cpu.fill(cpu.View.alloc((100, 100)), 1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc/meminfo")
def test_a_little_more_memory_than_there_is_raises_instead_of_being_promised():
    with open("/proc/meminfo") as file:
        available = next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:"))
    with pytest.raises(MemoryError):
        cpu.Array(available + (available >> 3), "uint8")
    assert cpu.Array(10).size == 10


@caching
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the address space")
def test_the_cache_is_given_back_before_a_request_fails():
    script = """
import resource
from needle.backend_ndarray import ndarray_backend_cpu as cpu
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = used + (300 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for _ in range(2):
    cpu.Array(200 << 20, "uint8")   # freed at once, and cached
cpu.Array(250 << 20, "uint8")       # fits only if the cached one goes
try:
    cpu.Array(350 << 20, "uint8")
except MemoryError:
    print("refused")
"""
    # One thread: the C library sets address space aside for the memory of each further one, OpenBLAS's too.
    environment = os.environ | {"NEEDLE_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stdout.strip()) == (0, "refused"), run.stderr


# Who keeps what alive -------------------------------------------------------------------------------------------------


def test_a_borrowed_array_lives_as_long_as_its_buffer():
    class Watched(np.ndarray):
        pass

    lent = np.arange(6.0).view(Watched)
    watch = weakref.ref(lent)
    buffer = cpu.Array.borrow(lent)
    view = cpu.View(buffer, (2, 3), (3, 1))
    assert (buffer.ptr(), buffer.size, buffer.dtype) == (lent.ctypes.data, 6, "float64")
    cpu.fill(cpu.View(buffer, (3,), (2,), 1), -1)
    assert lent.tolist() == [0, -1, 2, -1, 4, -1]
    del lent, buffer
    gc.collect()
    assert watch() is not None
    assert view.as_numpy().tolist() == [[0, -1, 2], [-1, 4, -1]]
    del view
    gc.collect()
    assert watch() is None


@pytest.mark.parametrize("export", [lambda view: view.as_numpy(), np.asarray, memoryview])
def test_an_export_keeps_the_buffer_and_forbids_writing(export):
    before = in_use()
    view = cpu.View.alloc((2, 3), "int32")
    cpu.fill(view, 7)
    exported = export(cpu.View(view.handle, (3, 2), (1, 3)))
    del view
    gc.collect()
    assert in_use() > before
    assert np.asarray(exported).tolist() == [[7, 7]] * 3
    assert np.asarray(exported).strides == (4, 12)
    with pytest.raises((ValueError, TypeError)):
        exported[0, 0] = 1
    del exported
    gc.collect()
    assert in_use() == before


def test_a_contiguous_buffer_is_not_claimed_of_a_strided_view():
    handle = cpu.Array(6)
    with pytest.raises(BufferError):
        np.frombuffer(cpu.View(handle, (3, 2), (1, 3)), "float32")
    assert np.frombuffer(cpu.View(handle, (2, 3), (3, 1)), "float32").shape == (6,)
    with pytest.raises((BufferError, ValueError, TypeError)):
        np.frombuffer(cpu.View(handle, (6,), (1,)), "float32")[0] = 1


@pytest.mark.parametrize("source", [np.arange(24.0).reshape(2, 3, 4)[:, ::-1, ::2], np.asfortranarray(np.eye(3))])
def test_from_numpy_reads_any_strides(source):
    out = cpu.View.alloc(source.shape, "float64")
    cpu.from_numpy(source, out)
    np.testing.assert_array_equal(cpu.to_numpy(out), source)


def test_from_numpy_reads_unaligned_and_unevenly_strided_memory():
    record = np.zeros(5, dtype=[("a", "u1"), ("x", "<f4"), ("y", "<f8")])
    record["x"], record["y"] = np.arange(5), np.arange(5) / 3
    for field in ("x", "y"):
        out = cpu.View.alloc((5,), str(record[field].dtype))
        cpu.from_numpy(record[field], out)
        np.testing.assert_array_equal(out.as_numpy(), record[field])


# Views ----------------------------------------------------------------------------------------------------------------


@given(
    size=st.integers(0, 30),
    axes=st.lists(st.tuples(st.integers(0, 5), st.integers(-7, 7)), max_size=4),
    offset=st.integers(-5, 35),
)
def test_exactly_the_views_that_stay_inside_their_buffer_are_made(size, axes, offset):
    shape, strides = tuple(n for n, _ in axes), tuple(s for _, s in axes)
    positions = [offset + sum(np.multiply(index, strides)) for index in np.ndindex(shape)]
    make = lambda: cpu.View(cpu.Array(size, "uint8"), shape, strides, offset)  # noqa: E731
    if all(0 <= position < size for position in positions):
        view = make()
        assert (view.shape, view.strides, view.offset) == (shape, strides, offset)
    else:
        with pytest.raises(ValueError, match="does not fit a buffer"):
            make()


def test_views_are_made_by_name_and_by_position():
    handle = cpu.Array(6)
    assert cpu.View(strides=(1,), handle=handle, shape=(2,), offset=4).offset == 4
    assert cpu.View.alloc(shape=[2, np.int64(3)], dtype="bool").shape == (2, 3)
    wrong = [((handle, (2,)), {}), ((handle, (2,), (1,), 0, 1), {}), ((handle, (2,), (1,)), {"shape": 1})]
    for arguments, names in wrong:
        with pytest.raises(TypeError, match="the arguments are handle, shape, strides"):
            cpu.View(*arguments, **names)


def test_no_view_comes_about_without_a_buffer():
    with pytest.raises(TypeError):
        object.__new__(cpu.View)
    with pytest.raises(TypeError):
        cpu.View.__new__(cpu.View)
    with pytest.raises(TypeError):
        type("Mine", (cpu.View,), {})
