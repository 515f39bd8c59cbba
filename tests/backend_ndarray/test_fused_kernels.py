"""The fused kernels of normalisation and of the softmaxes against the specification, in any layout and at any size.

What the specification computes is checked against SciPy and written-out Jacobians in ``tests/ops``. The instruction set
is the one this process runs with; `test_instruction_sets` runs this file again with the others.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.backend_ndarray import ndarray_backend_numpy as spec
from tests.backend_ndarray.kernel_cases import FLOATS, Call, Operand, draw_shape, generators, kernels_of, operand
from tests.backend_ndarray.test_kernels import property_test
from tests.backend_ndarray.test_threads import cpu  # noqa: F401  (a fixture)
from tests.backend_ndarray.test_threads import operand as large

#: Numbers of axes, operands and outputs: "x" has the drawn shape, "v" is as long as its last axis, "0" has no axes,
#: "e" is the number that is added to the variance.
KERNELS = {
    "logsoftmax": (range(1, 5), "x", "x"),
    "softmax_gradient": (range(1, 5), "xx", "x"),
    "logsoftmax_gradient": (range(1, 5), "xx", "x"),
    "softmax_loss": (range(2, 3), "xx", "0"),
    "softmax_loss_gradient": (range(2, 3), "xx0", "x"),
    "layer_norm": (range(2, 5), "xvve", "x"),
    "layer_norm_gradient": (range(2, 5), "xvxe", "xvv"),
    "batch_norm": (range(2, 3), "xvve", "x"),
    "batch_norm_gradient": (range(2, 3), "xvxe", "xvv"),
    "moments": (range(2, 3), "x", "vv"),
}
EPS = 0.1


def shape_of(kind, shape):
    return {"x": shape, "v": shape[-1:], "0": ()}[kind]


@st.composite
def calls(draw, kernel):
    """Draw calls of a kernel on numbers of magnitude around 1."""
    rng, dtype = draw(generators), draw(st.sampled_from(FLOATS))
    axes, inputs, outputs = KERNELS[kernel]
    shape = draw_shape(draw, rng, axes=axes)
    given = [EPS if x == "e" else operand(draw, shape_of(x, shape), dtype, rng, tame=True) for x in inputs]
    outs = [operand(draw, shape_of(x, shape), dtype, rng, out=True) for x in outputs]
    return Call(kernel, (*given, *outs), len(outs))


def exactly(call):
    """What the specification gives in float64."""
    operands = [Operand(x.layout, x.data.astype("float64")) if isinstance(x, Operand) else x for x in call.operands]
    return Call(call.kernel, tuple(operands), call.outputs).run_all(spec)


def assert_close(call, got, expected, out):
    """Equal within `out`, up to the roundings of a sum of numbers as large as the operands'; untouched outside it.

    The roundings of n numbers grow like the root of n, unless they are all the same because the numbers are.
    """
    positions = out.layout.positions()
    outside = np.ones(got.size, bool)
    outside[positions] = False
    np.testing.assert_array_equal(got[outside], out.data[outside])
    arrays = [x.elements for x in call.operands[: -call.outputs] if isinstance(x, Operand)]
    largest = max((float(np.abs(a).max()) for a in arrays if a.size), default=0)
    count = max(arrays[0].shape[0], arrays[0].shape[-1], arrays[0].size // max(arrays[0].shape[-1], 1), 1)
    repeated = any(0 in x.layout.strides for x in call.operands if isinstance(x, Operand))
    bound = np.finfo(got.dtype).eps * 4 * ((count if repeated else np.sqrt(count)) + 8) * (1 + largest) ** 3
    np.testing.assert_allclose(got[positions], expected[positions], rtol=bound, atol=bound, err_msg=call.kernel)


@pytest.mark.parametrize("kernel", KERNELS)
@property_test(100)
@given(data=st.data())
def test_any_layout_on_cpu(kernel, data):
    call = data.draw(calls(kernel))
    results = zip(call.run_all(kernels_of("cpu")), exactly(call), call.outs, strict=True)
    for got, expected, out in results:
        assert_close(call, got, expected, out)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("order", ["row", "column", "gaps"])
@pytest.mark.parametrize("shape", [(263, 1024), (20480, 10), (2, 30000)])
@pytest.mark.parametrize("kernel", KERNELS)
def test_large_arrays_are_right_and_the_same_with_any_number_of_threads_on_cpu(cpu, kernel, shape, order, dtype):  # noqa: F811
    _, inputs, outputs = KERNELS[kernel]

    def made(kind, seed):
        if kind == "x":
            return large(shape, dtype, order, tame=True, seed=seed)
        flat = large((1, shape[1] if kind == "v" else 1), dtype, tame=True, seed=seed)
        view = type(flat.layout)(flat.layout.size, shape_of(kind, shape), (1,) if kind == "v" else (), 0)
        return Operand(view, flat.data)

    given = [EPS if kind == "e" else made(kind, seed) for seed, kind in enumerate(inputs)]
    call = Call(kernel, (*given, *[made(kind, 9) for kind in outputs]), len(outputs))
    results = []
    for threads in (1, 2, 3):
        cpu.set_num_threads(threads)
        results.append(call.run_all(cpu))
    for *by_threads, expected, out in zip(*results, exactly(call), call.outs, strict=True):
        assert len({x.tobytes() for x in by_threads}) == 1, f"{kernel} depends on threads"
        assert_close(call, by_threads[0], expected, out)


@pytest.mark.parametrize("kernel", ["softmax_loss", "softmax_loss_gradient", "logsoftmax"])
def test_logits_of_any_size_do_not_overflow_on_cpu(kernel):
    """In float64 a true class with logit 1e4 below another costs 1e4, and one far above costs nothing."""
    device = kernels_of("cpu")
    views = [device.View.alloc((2, 3), "float64") for _ in range(3)]
    z, one_hot, out = views
    device.from_numpy(np.array([[1e4, 0, -1e4], [-1e308, 1e308, 0.0]]), z)
    device.from_numpy(np.array([[0.0, 1, 0], [0, 1, 0]]), one_hot)
    scalar = device.View.alloc((), "float64")
    device.fill(scalar, 2)
    if kernel == "softmax_loss":
        device.softmax_loss(z, one_hot, scalar)
        assert scalar.as_numpy() == 1e4 / 2
    elif kernel == "softmax_loss_gradient":
        device.softmax_loss_gradient(z, one_hot, scalar, out)
        np.testing.assert_array_equal(out.as_numpy(), [[1, -1, 0], [0, 0, 0]])
    else:
        device.logsoftmax(z, out)
        np.testing.assert_array_equal(out.as_numpy()[0], [0, -1e4, -2e4])
