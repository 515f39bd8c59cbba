"""Large arrays: right, and the same bit for bit whatever the number of threads."""

import functools

import numpy as np
import pytest

from needle.backend_ndarray import ndarray_backend_numpy as spec
from tests.backend_ndarray.kernel_cases import ALL, FLOATS, Call, Layout, Operand, kernels_of, values
from tests.backend_ndarray.kernel_checks import assert_right

ROWS, COLUMNS = 263, 1024  # over a quarter of a million elements: several chunks of any kernel; 263 is prime
SHAPE = (ROWS, COLUMNS)


@pytest.fixture
def cpu():
    module = kernels_of("cpu")
    threads = module.num_threads()
    yield module
    module.set_num_threads(threads)


@functools.lru_cache(16)
def large_values(size, dtype, tame, seed):
    """Contents of a large buffer, which many tests read."""
    data = values(size, dtype, np.random.default_rng(seed), tame)
    data.flags.writeable = False
    return data


def operand(shape, dtype, order="row", tame=False, seed=0):
    """A large operand: row-major, column-major, with gaps and backwards, or with rows that are all the same."""
    rows, columns = shape
    place = {
        "row": Layout(rows * columns, shape, (columns, 1), 0),
        "column": Layout(rows * columns, shape, (1, rows), 0),
        "gaps": Layout(rows * columns * 2, shape, (-2 * columns, 2), (rows - 1) * 2 * columns),
        "repeated": Layout(columns, shape, (0, 1), 0),
    }[order]
    return Operand(place, large_values(place.size, dtype, tame, seed))


def check(cpu, call):
    """Compare 1, 2 and 3 threads bit for bit, and the result with the specification's."""
    results = []
    for threads in (1, 2, 3):
        cpu.set_num_threads(threads)
        assert cpu.num_threads() == threads
        results.append(call.run_all(cpu))
    for i, (one, two, three, expected) in enumerate(zip(*results, call.run_all(spec), strict=True)):
        assert one.tobytes() == two.tobytes() == three.tobytes(), f"{call.kernel} depends on threads"
        assert_right(call, one, expected, position=i)


@pytest.mark.parametrize("order", ["row", "column", "gaps", "repeated"])
@pytest.mark.parametrize("name", ["add", "mul", "maximum", "ge"])
def test_binary(cpu, name, order):
    a, b, out = (operand(SHAPE, "float32", kind, seed=i) for i, kind in enumerate((order, "row", "row")))
    check(cpu, Call(f"ewise_{name}", (a, b, out)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sin", "sigmoid", "neg"])
def test_unary(cpu, name, dtype):
    check(cpu, Call(f"ewise_{name}", (operand(SHAPE, dtype), operand(SHAPE, dtype, "column", seed=1))))


def test_power(cpu):
    a, b, out = (operand(SHAPE, "float32", seed=i) for i in range(3))
    check(cpu, Call("ewise_power", (a, b, out)))


def test_in_place(cpu):
    a = operand(SHAPE, "float32", "gaps")
    check(cpu, Call("scalar_add", (a, 1.5, a)))


@pytest.mark.parametrize("order", ["row", "column", "gaps", "repeated"])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_copy_and_where(cpu, dtype, order):
    a, out = operand(SHAPE, "float32", order, tame=True), operand(SHAPE, dtype, seed=1)
    check(cpu, Call("copy", (a, out)))
    condition = operand(SHAPE, "bool", seed=2)
    check(cpu, Call("where", (condition, a, operand(SHAPE, "float32", seed=3), operand(SHAPE, "float32", seed=4))))


@pytest.mark.parametrize("out_shape", [(1, 1), (1, COLUMNS), (ROWS, 1)])
@pytest.mark.parametrize("order", ["row", "column", "gaps"])
@pytest.mark.parametrize("name", ["sum", "max", "argmax"])
def test_reduction(cpu, name, order, out_shape):
    a = operand(SHAPE, "float32", order, tame=True)
    check(cpu, Call(f"reduce_{name}", (a, operand(out_shape, "int64" if name == "argmax" else "float32"))))


@pytest.mark.parametrize("out_shape", [(1, 1), (1, COLUMNS), (ROWS, 1)])
@pytest.mark.parametrize("order", ["row", "column", "gaps"])
def test_logsumexp(cpu, order, out_shape):
    check(cpu, Call("logsumexp", (operand(SHAPE, "float32", order, tame=True), operand(out_shape, "float32"))))


@pytest.mark.parametrize("order", ["row", "column", "gaps"])
@pytest.mark.parametrize("shape", [SHAPE, (COLUMNS * 20, 10), (2, 300000)])
def test_softmax(cpu, order, shape):
    a = operand(shape, "float32", order, tame=True)
    check(cpu, Call("softmax", (a, operand(shape, "float32", "column", seed=1))))


@pytest.mark.parametrize("order", ["row", "column", "gaps", "repeated"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_optimizers(cpu, dtype, order):
    arrays = [operand(SHAPE, dtype, kind, tame=True, seed=i) for i, kind in enumerate(("row", order, "row", "row"))]
    outs = [operand(SHAPE, dtype, kind, seed=i) for i, kind in enumerate(("row", "row", "column"))]
    check(cpu, Call("adam", (*arrays, 1e-3, 0.9, 0.999, 1e-8, 0.01, *outs), 3))
    check(cpu, Call("sgd", (*arrays[:3], 0.1, 0.9, 0.0, *outs[1:]), 2))


@pytest.mark.parametrize("dtype", ALL)
def test_sum_of_every_dtype(cpu, dtype):
    a = operand(SHAPE, dtype, tame=dtype in FLOATS)
    check(cpu, Call("reduce_sum", (a, operand((1, 1), dtype if dtype in FLOATS else "int64"))))


@pytest.mark.parametrize("out_shape", [(1, 1), (1, COLUMNS), (ROWS, 1)])
@pytest.mark.parametrize("order", ["row", "column"])
def test_long_sums_lose_few_digits(cpu, order, out_shape):
    """Adding a million numbers one by one could lose 20 bits; sums in blocks and in several registers lose few."""
    drawn, out = operand(SHAPE, "float32", order, tame=True), cpu.View.alloc(out_shape)
    a = Operand(drawn.layout, np.abs(drawn.data))
    cpu.reduce_sum(a.on(cpu), out)
    exact = a.elements.sum(axis=tuple(i for i in range(2) if out_shape[i] == 1), dtype="float64", keepdims=True)
    np.testing.assert_allclose(out.as_numpy(), exact, rtol=64 * 2.0**-24)


@pytest.mark.parametrize("orders", [("row", "row"), ("column", "row"), ("row", "column"), ("gaps", "column")])
@pytest.mark.parametrize("shape", [(257, 301, 263), (1, 3000, 500), (700, 3, 700)])
@pytest.mark.parametrize("dtype", FLOATS)
def test_matmul(cpu, dtype, shape, orders):
    m, k, n = shape
    a, b = operand((m, k), dtype, orders[0], tame=True), operand((k, n), dtype, orders[1], tame=True, seed=1)
    check(cpu, Call("matmul", (a, b, operand((m, n), dtype, seed=2))))


@pytest.mark.parametrize("kernel", ["gather", "scatter_add"])
@pytest.mark.parametrize("axis", [0, 1])
def test_indexing(cpu, kernel, axis):
    chosen = np.random.default_rng(5).integers(0, SHAPE[axis], SHAPE[axis])
    indices = Operand(Layout(chosen.size, chosen.shape, (1,), 0), chosen)
    check(cpu, Call(kernel, (operand(SHAPE, "float32", tame=True), indices, axis, operand(SHAPE, "float32", seed=1))))


def test_at_least_one_thread(cpu):
    for bad in (0, -1):
        with pytest.raises(ValueError, match="thread"):
            cpu.set_num_threads(bad)
    with pytest.raises(TypeError):
        cpu.set_num_threads("two")
