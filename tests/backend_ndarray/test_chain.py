"""The kernel `chain` has the bits of its steps done one by one, under each instruction set, and is as specified.

`test_instruction_sets` runs this file again with the lower ones.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from needle.backend_ndarray import ndarray_backend_numpy as spec
from tests.backend_ndarray.kernel_cases import kernels_of

UNARY = [f"ewise_{name}" for name in spec.UNARY]
BINARY = [f"ewise_{name}" for name in (spec.BINARY | spec.COMPARISON) if name != "power"]
SCALAR = [f"scalar_{name}" for name in (spec.BINARY | spec.COMPARISON | spec.REVERSED) if "power" not in name]
#: Shapes with a part of a block, several blocks, and several chunks of work.
SHAPES = [(1,), (5,), (0, 3), (7, 1, 3), (40, 33), (3, 2000), (2, 40000)]


@pytest.fixture(scope="module")
def cpu():
    return kernels_of("cpu")


def view_of(device, array):
    view = device.View.alloc(array.shape, str(array.dtype))
    device.from_numpy(array, view)
    return view


def repeated(device, array, shape):
    """A view of `shape` that is broadcast along the axes that `array` does not have."""
    view = view_of(device, array)
    missing = len(shape) - array.ndim
    return device.View(view.handle, shape, (0,) * missing + tuple(view.strides), 0)


@st.composite
def chains(draw):
    """A chain over inputs like the output, a row that is broadcast, a single element, and a number."""
    steps = []
    for i in range(draw(st.integers(1, 8))):
        values = st.integers(0, 4 + i)
        scalars = st.just(4)
        kind = draw(st.sampled_from("ubs"))
        if kind == "u":
            steps.append((draw(st.sampled_from(UNARY)), (draw(values),)))
        elif kind == "b":
            steps.append((draw(st.sampled_from(BINARY)), (draw(values), draw(values))))
        else:
            steps.append((draw(st.sampled_from(SCALAR)), (draw(values), draw(scalars))))
    last = 4 + len(steps)
    outputs = draw(st.lists(st.integers(5, last), max_size=2, unique=True))
    return 5, tuple(steps), tuple(dict.fromkeys((*outputs, last)))


def arrays_of(shape, dtype, seed):
    random = np.random.default_rng(seed)
    kinds = [shape, shape, shape[-1:], (1,) * len(shape)]
    return [(random.standard_normal(kind) * 3).astype(dtype) for kind in kinds]


def inputs_on(device, arrays, shape):
    a, b, row, one = arrays
    single = device.View(view_of(device, one).handle, shape, (0,) * len(shape), 0)
    return [view_of(device, a), view_of(device, b), repeated(device, row, shape), single]


def one_by_one(device, chain, inputs, number, shape, dtype):
    """The steps of a chain, each by its own kernel."""
    filled = device.View.alloc(shape, dtype)
    device.fill(filled, number)
    values = [*inputs, filled]
    for kernel, numbers in chain[1]:
        values.append(device.View.alloc(shape, dtype))
        operands = [number if kernel.startswith("scalar_") and i else values[v] for i, v in enumerate(numbers)]
        getattr(device, kernel)(*operands, values[-1])
    return [device.to_numpy(values[v]) for v in chain[2]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chain=chains(), shape=st.sampled_from(SHAPES), in_place=st.booleans(), seed=st.integers(0, 99))
def test_cpu_chain_has_the_bits_of_its_steps(cpu, dtype, chain, shape, in_place, seed):
    arrays = arrays_of(shape, dtype, seed)
    inputs = inputs_on(cpu, arrays, shape)
    expected = one_by_one(cpu, chain, inputs, 0.3, shape, dtype)
    outs = [cpu.View.alloc(shape, dtype) for _ in chain[2]]
    if in_place:  # over the inputs of the outputs' layout
        outs = [*inputs[:2], *outs][: len(outs)]
    versions = [out.version for out in outs]
    cpu.chain(cpu.Chain(*chain), *inputs, 0.3, *outs)
    assert [cpu.to_numpy(out).tobytes() for out in outs] == [x.tobytes() for x in expected]
    assert [out.version for out in outs] == [version + 1 for version in versions]


#: Steps of which each result is prescribed to the last bit, so that a long chain is too.
EXACT = [("scalar_mul", (0, 4)), ("ewise_add", (5, 2)), ("ewise_maximum", (6, 1)), ("ewise_div", (7, 3))]
EXACT += [("ewise_gt", (8, 0)), ("scalar_rsub", (8, 4)), ("ewise_sqrt", (7,)), ("ewise_mul", (9, 10))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_cpu_chain_meets_the_specification(cpu, dtype, shape):
    arrays = arrays_of(shape, dtype, 1)
    results = []
    for device in (cpu, spec):
        outs = [device.View.alloc(shape, dtype) for _ in range(3)]
        with np.errstate(all="ignore"):
            device.chain(device.Chain(5, EXACT, (6, 11, 12)), *inputs_on(device, arrays, shape), 0.3, *outs)
        results.append([device.to_numpy(out) for out in outs])
    for got, expected in zip(*results):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    "chain",
    [
        (1, [], (1,)),
        (0, [("ewise_neg", (0,))], (0,)),
        (1, [("ewise_neg", (1,))], (1,)),
        (1, [("ewise_neg", (-1,))], (1,)),
        (1, [("ewise_neg", (0, 0))], (1,)),
        (1, [("ewise_power", (0, 0))], (1,)),
        (1, [("reduce_sum", (0,))], (1,)),
        (1, [("ewise_neg", (0,))], (0,)),
        (1, [("ewise_neg", (0,))], (2,)),
        (1, [("ewise_neg", (0,))], ()),
        (1, [("ewise_neg", (0,))] * 32, (1,)),
    ],
)
def test_cpu_refuses_what_is_no_chain(cpu, chain):
    with pytest.raises(ValueError, match="Chain: "):
        cpu.Chain(*chain)


def test_cpu_refuses_operands_that_do_not_fit(cpu):
    chain = cpu.Chain(1, [("ewise_neg", (0,))], (1,))
    a = view_of(cpu, np.ones((3, 4), "float32"))
    transposed = cpu.View(a.handle, (4, 3), (1, 4), 0)
    with pytest.raises(ValueError, match="compact"):
        cpu.chain(chain, transposed, cpu.View.alloc((4, 3)))
    with pytest.raises(ValueError, match="compact"):
        cpu.chain(chain, 1.0, transposed)
    with pytest.raises(ValueError, match="one shape"):
        cpu.chain(chain, a, cpu.View.alloc((4, 3)))
    with pytest.raises(TypeError, match="float64"):
        cpu.chain(chain, a, cpu.View.alloc((3, 4), "float64"))
    with pytest.raises(TypeError, match="a float"):
        cpu.chain(chain, 1, cpu.View.alloc((3, 4), "int32"))
    with pytest.raises(TypeError, match="3 positional"):
        cpu.chain(chain, a)
    with pytest.raises(TypeError, match="must be a Chain"):
        cpu.chain(a, a, a)
