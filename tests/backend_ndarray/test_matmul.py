"""The matrix product of cpu(): right at every edge of its tiles, the same with any number of threads."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backend_ndarray.kernel_cases import (
    FLOATS,
    KINDS,
    NUMBERS,
    Call,
    Layout,
    Operand,
    generators,
    kernels_of,
    layout,
    same_bits,
    values,
)

#: Extents around the sizes that the kernel cuts at: vectors of 2 to 16 lanes, tiles of 6 or 12 rows and 2 vectors.
EDGES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 24, 25, 31, 32, 33, 47, 48, 49, 63, 64, 65, 100, 129)
#: Lengths of the sum around those at which packed pieces end.
DEPTHS = (0, 1, 2, 3, 7, 15, 16, 17, 33, 100, 255, 256, 257, 383, 384, 385, 600, 1023, 1024, 1030)

THREADS = (1, 2, 3, 8)

#: The rungs of the ladder that multiply floats alone; `matmul_naive` and `matmul` take integers too.
FLOAT_RUNGS = ("matmul_tiled", "matmul_simd", "matmul_packed", "matmul_dot")


@pytest.fixture
def cpu():
    module = kernels_of("cpu")
    threads = module.num_threads()
    yield module
    module.set_num_threads(threads)


def product_of(call):
    """Return the product of a call's operands and the sum of the magnitudes, in float64 (or wrapping integers)."""
    a, b = (x.elements for x in call.operands[:2])
    if a.dtype.kind != "f":
        return a @ b, None
    a, b = a.astype("float64"), b.astype("float64")
    with np.errstate(all="ignore"):
        return a @ b, np.abs(a) @ np.abs(b)


def assert_product(call, buffer):
    """Check the buffer of `out` after the call: the product within its elements, and nothing beside them.

    A sum of k products in any order is off by at most k u sum |a| |b| (and higher powers of u), u half the spacing of
    numbers at 1 (Higham 2002, equation 3.5). Twice that is allowed, because the sum it is compared with, in float64,
    has an error of its own.
    """
    positions = call.out.layout.positions()
    got = buffer[positions]
    expected, magnitude = product_of(call)
    if magnitude is None:
        right = got == expected
    else:
        k = call.operands[0].layout.shape[-1]
        with np.errstate(all="ignore"):
            close = np.abs(got - expected) <= k * np.finfo(got.dtype).eps * magnitude
        right = np.where(np.isfinite(expected), close, (got == expected) | (np.isnan(got) & np.isnan(expected)))
    assert right.all(), f"wrong at {np.argwhere(~right)[:3].tolist()}, {(~right).sum()} of {right.size}"
    untouched = same_bits(buffer, call.out.data)
    untouched[positions] = True
    assert untouched.all(), f"wrote outside its out, at {np.flatnonzero(~untouched)[:5]}"


def matrix(shape, dtype="float32", order="rows", seed=0):
    """Return an operand: its rows adjacent in memory, or its columns, or neither; the same row again and again."""
    rows, cols = shape
    place = {
        "rows": Layout(rows * cols, shape, (cols, 1), 0),
        "columns": Layout(rows * cols, shape, (1, rows), 0),
        "gaps": Layout(rows * cols * 2, shape, (-2 * cols, 2), max(rows - 1, 0) * 2 * cols),
        "repeated": Layout(cols, shape, (0, 1), 0),
    }[order]
    return Operand(place, values(place.size, dtype, np.random.default_rng(seed), tame=True))


def stack(shape, strides, dtype="float32", seed=0):
    """Return an operand of any number of axes that begins at the first element of its buffer."""
    size = 1 + sum((extent - 1) * stride for extent, stride in zip(shape, strides))
    return Operand(Layout(size, shape, strides, 0), values(size, dtype, np.random.default_rng(seed), tame=True))


@st.composite
def products(draw, dtypes, depths):
    """Draw products of up to two leading axes, of operands with any strides."""
    rng, dtype = draw(generators), draw(st.sampled_from(dtypes))
    m, n = (draw(st.sampled_from(EDGES)) for _ in range(2))
    k = draw(st.sampled_from(depths))
    batch = draw(st.sampled_from([(), (), (), (2,), (3, 2), (0,)]))
    operands = []
    for shape, broadcasts in (((m, k), True), ((k, n), True), ((m, n), False)):
        kind = draw(st.sampled_from(KINDS)) - (set() if broadcasts else {"broadcast"})
        place = layout((*batch, *shape), kind, rng)
        operands.append(Operand(place, values(place.size, dtype, rng, tame=True)))
    return Call("matmul", tuple(operands))


@pytest.mark.parametrize("device", ["cpu", "numpy"])
@settings(deadline=None)
@given(call=products(FLOATS, DEPTHS))
def test_any_shape_and_any_strides(device, call):
    assert_product(call, call.run(kernels_of(device)))


@pytest.mark.parametrize("device", ["cpu", "numpy"])
@settings(deadline=None)
@given(call=products(("int32", "int64", "uint8"), (0, 1, 5, 33)))
def test_integers_are_exact_and_wrap_around(device, call):
    for operand in call.operands[:2]:
        operand.data[::3] = np.iinfo(operand.data.dtype).max
    assert_product(call, call.run(kernels_of(device)))


@settings(deadline=None)
@given(call=products(NUMBERS, (0, 1, 5, 33)))
def test_naive(call):
    call = Call("matmul_naive", call.operands)
    assert_product(call, call.run(kernels_of("cpu")))


@pytest.mark.parametrize("rung", FLOAT_RUNGS)
@settings(deadline=None, max_examples=50)
@given(call=products(FLOATS, DEPTHS))
def test_each_rung_on_its_own(rung, call):
    call = Call(rung, call.operands)
    assert_product(call, call.run(kernels_of("cpu")))


@pytest.mark.parametrize("rows", range(1, 26))
@pytest.mark.parametrize("orders", list(itertools.product(["rows", "columns"], repeat=2)), ids="-".join)
def test_every_height_of_a_tile_and_every_width_of_a_strip(cpu, orders, rows):
    for cols in range(1, 35):
        a, b = matrix((rows, 19), order=orders[0]), matrix((19, cols), order=orders[1], seed=1)
        call = Call("matmul", (a, b, matrix((rows, cols))))
        assert_product(call, call.run(cpu))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "orders",
    [
        ("rows", "rows", "rows"),
        ("columns", "rows", "rows"),
        ("rows", "columns", "rows"),
        ("rows", "rows", "columns"),
        ("gaps", "gaps", "gaps"),
    ],
    ids="-".join,
)
@pytest.mark.parametrize(
    "shape",
    [
        (157, 401, 1100),  # several blocks, and edges of all kinds
        (130, 2600, 70),  # long sums: packed whole, read in place when cut for many threads
        (64, 1024, 300),  # rows of A that fall on one place of a cache
        (1, 3000, 400),  # a vector times a matrix
        (700, 1500, 1),  # a matrix times a vector
        (7, 1100, 333),  # few rows
        (13, 4100, 40),  # few rows only when cut for many threads
        (2000, 130, 10),
    ],
    ids=str,
)
def test_large_products_are_right_and_do_not_depend_on_threads(cpu, shape, orders, dtype):
    m, k, n = shape
    a, b = matrix((m, k), dtype, orders[0]), matrix((k, n), dtype, orders[1], seed=1)
    call = Call("matmul", (a, b, matrix((m, n), dtype, orders[2], seed=2)))
    results = []
    for threads in THREADS:
        cpu.set_num_threads(threads)
        results.append(call.run(cpu))
    assert_product(call, results[0])
    for threads, result in zip(THREADS[1:], results[1:]):
        assert result.tobytes() == results[0].tobytes(), f"{threads} threads give other bits than one"


def test_repeated_and_single_elements_as_operands(cpu):
    for a, b in itertools.product([matrix((90, 110), order="repeated"), matrix((90, 110))], repeat=2):
        turned = Operand(Layout(b.layout.size, (110, 90), b.layout.strides[::-1], 0), b.data)
        call = Call("matmul", (a, turned, matrix((90, 90))))
        assert_product(call, call.run(cpu))
    one = Operand(Layout(1, (300, 300), (0, 0), 0), np.full(1, 0.5, "float32"))
    call = Call("matmul", (one, one, matrix((300, 300))))
    assert_product(call, call.run(cpu))


@pytest.mark.parametrize("orders", list(itertools.product(["rows", "columns", "gaps"], repeat=2)), ids="-".join)
@pytest.mark.parametrize(
    "shape", [(157, 401, 1100), (13, 19, 33), (64, 1024, 300), (90, 600, 512), (100, 784, 100)], ids=str
)
def test_the_simd_and_the_packed_rung_and_the_choice_between_them_agree_bit_for_bit(cpu, shape, orders):
    m, k, n = shape
    a, b = matrix((m, k), order=orders[0]), matrix((k, n), order=orders[1], seed=1)
    by = {name: Call(name, (a, b, matrix((m, n)))).run(cpu) for name in ("matmul_simd", "matmul_packed", "matmul")}
    assert by["matmul_simd"].tobytes() == by["matmul_packed"].tobytes() == by["matmul"].tobytes()


@pytest.mark.parametrize("orders", list(itertools.product(["rows", "columns"], repeat=2)), ids="-".join)
@pytest.mark.parametrize("rows", [1, 2, 13])
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_last_strip_may_begin_in_columns_that_are_done(cpu, orders, rows, dtype):
    k = 200  # more than what is copied of B at a time
    for cols in [*range(1, 73), 100, 120, 127, 129, 150]:
        a, b = matrix((rows, k), dtype, orders[0]), matrix((k, cols), dtype, orders[1], seed=1)
        out = matrix((rows, cols), dtype, seed=2)
        by_simd, by_packed = (Call(name, (a, b, out)).run(cpu) for name in ("matmul_simd", "matmul_packed"))
        assert by_simd.tobytes() == by_packed.tobytes(), f"{cols} columns"


# Stacks of matrices ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("shape", [(3, 20, 30, 40), (200, 9, 10, 11), (5, 130, 140, 150)], ids=str)
def test_a_stack_is_the_product_of_each_of_its_matrices(cpu, shape, threads):
    cpu.set_num_threads(threads)
    batch, m, k, n = shape
    a = stack((batch, m, k), (m * k, k, 1))
    b = stack((batch, k, n), (k * n, 1, k), seed=1)
    got = Call("matmul", (a, b, stack((batch, m, n), (m * n, n, 1)))).run(cpu).reshape(batch, m, n)
    for i in range(batch):
        each_a, each_b = (
            Operand(Layout(x.layout.size, x.layout.shape[1:], x.layout.strides[1:], i * x.layout.strides[0]), x.data)
            for x in (a, b)
        )
        alone = Call("matmul", (each_a, each_b, matrix((m, n)))).run(cpu).reshape(m, n)
        assert got[i].tobytes() == alone.tobytes()


@pytest.mark.parametrize("lies_evenly", [True, False])
@pytest.mark.parametrize("m", [1, 6])
def test_one_matrix_for_a_whole_stack(cpu, m, lies_evenly):
    """A weight repeats along the leading axes of a batch of sequences, which are then more rows."""
    gap = 0 if lies_evenly else 7
    a = stack((5, 4, m, 37), (4 * m * 37 + gap, m * 37, 37, 1))
    b = stack((5, 4, 37, 50), (0, 0, 50, 1), seed=1)
    call = Call("matmul", (a, b, stack((5, 4, m, 50), (4 * m * 50 + gap, m * 50, 50, 1))))
    assert_product(call, call.run(cpu))


# Numbers that are none ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("orders", list(itertools.product(["rows", "columns", "gaps"], repeat=2)), ids="-".join)
@pytest.mark.parametrize("shape", [(13, 40, 37), (3, 200, 21), (1, 100, 45), (70, 390, 1050)], ids=str)
def test_nan_and_infinity_stay_in_their_row_and_column(cpu, shape, orders, dtype):
    """What fills up a vector at an edge (zeros, other columns) must not be seen."""
    m, k, n = shape
    a, b = matrix((m, k), dtype, orders[0]), matrix((k, n), dtype, orders[1], seed=1)
    a.data[a.layout.positions()[m - 1, k - 1]] = np.inf
    b.data[b.layout.positions()[0, n - 1]] = np.nan
    call = Call("matmul", (a, b, matrix((m, n), dtype, seed=2)))
    got = call.run(cpu)
    assert_product(call, got)
    got = got.reshape(m, n)
    assert np.isnan(got[:, n - 1]).all() and np.isinf(got[m - 1, : n - 1]).all()
    assert np.isfinite(got[: m - 1, : n - 1]).all()


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("kernel", ["matmul", "matmul_naive", *FLOAT_RUNGS])
def test_a_sum_of_nothing_is_zero_whatever_out_held(cpu, kernel, dtype):
    if kernel in FLOAT_RUNGS and dtype not in FLOATS:
        pytest.skip("refused, as the next test checks")
    for m, n in [(1, 1), (3, 50), (40, 1), (300, 500)]:
        out = matrix((m, n), dtype)
        out.data[:] = np.nan if dtype in FLOATS else 7
        got = Call(kernel, (matrix((m, 0), dtype), matrix((0, n), dtype), out)).run(cpu)
        assert not got.any()


@pytest.mark.parametrize(
    ("kernel", "dtype"),
    [(kernel, "bool") for kernel in ("matmul", "matmul_naive", *FLOAT_RUNGS)] + [(k, "int32") for k in FLOAT_RUNGS],
)
def test_a_dtype_without_a_product_is_refused(cpu, kernel, dtype):
    views = [cpu.View.alloc((2, 2), dtype) for _ in range(3)]
    with pytest.raises(TypeError, match=f"{kernel}: a must be a .*{dtype}"):
        getattr(cpu, kernel)(*views)


@pytest.mark.parametrize("kernel", ["matmul", "matmul_naive", *FLOAT_RUNGS])
def test_shapes_that_do_not_fit_are_refused(cpu, kernel):
    a, b, out = (cpu.View.alloc(shape, "float32") for shape in [(2, 3), (4, 5), (2, 5)])
    with pytest.raises(ValueError, match=rf"{kernel}: shapes do not fit: .*\(2, 3\) @ .*\(4, 5\)"):
        getattr(cpu, kernel)(a, b, out)


# Tiles that were cut beforehand, and other ways to get there ----------------------------------------------------------


@pytest.mark.parametrize("tiles", [(1, 1, 1), (2, 3, 4), (7, 1, 5), (4, 0, 3), (0, 2, 2)], ids=str)
def test_matrices_that_are_tiles_already(cpu, tiles):
    size = cpu.__tile_size__
    m, k, n = (count * size for count in tiles)
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((m, k), "float32"), rng.standard_normal((k, n), "float32")

    def cut(x):
        """Cut a matrix into tiles: (rows / T, T, columns / T, T) with the two inner axes last."""
        return x.reshape(x.shape[0] // size, size, x.shape[1] // size, size).swapaxes(1, 2)

    handles = []
    for x in (a, b, np.full((m, n), np.nan, "float32")):
        view = cpu.View.alloc(cut(x).shape)
        cpu.from_numpy(cut(x), view)
        handles.append(view)
    cpu.matmul_tiled(*(view.handle for view in handles), m, k, n)
    got = cpu.to_numpy(handles[2]).swapaxes(1, 2).reshape(m, n)
    exact = a.astype("float64") @ b.astype("float64")
    assert (np.abs(got - exact) <= k * np.finfo("float32").eps * (np.abs(a) @ np.abs(b))).all()


def test_tiles_that_do_not_fit_are_refused(cpu):
    tiles = cpu.View.alloc((8, 8)).handle
    version = tiles.version
    with pytest.raises(ValueError, match="multiples of the tile size 8, not 12"):
        cpu.matmul_tiled(tiles, tiles, tiles, 8, 12, 8)
    with pytest.raises(ValueError, match="b must hold 8 x 16 elements of float32, not 64"):
        cpu.matmul_tiled(tiles, tiles, tiles, 8, 8, 16)
    with pytest.raises(TypeError, match=r"a must be an Array, not .*View"):
        cpu.matmul_tiled(cpu.View.alloc((8, 8)), tiles, tiles, 8, 8, 8)
    assert tiles.version == version


def test_many_threads_of_the_caller_at_once(cpu):
    """Each has packing space of its own, and only one of them the pool."""
    calls = [
        Call("matmul", (matrix((150, 700), seed=i), matrix((700, 300), seed=i + 1), matrix((150, 300))))
        for i in range(8)
    ]
    alone = [call.run(cpu).tobytes() for call in calls]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda call: call.run(cpu).tobytes(), calls * 3))
    assert together == alone * 3
