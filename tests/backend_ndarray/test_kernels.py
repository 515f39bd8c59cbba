"""Every kernel of every device against the specification, on random shapes, layouts, dtypes and values.

The instruction set is the one this process runs with; `test_instruction_sets` runs this file again with the others.
"""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from needle.backend_ndarray import ndarray_backend_numpy as spec
from tests.backend_ndarray import kernel_cases as cases
from tests.backend_ndarray.kernel_checks import NUMPY_ULP, assert_right


@pytest.fixture(scope="module", params=["cpu", "cpu_simple", "minimal"])
def device(request):
    return cases.kernels_of(request.param)


@pytest.fixture(scope="module")
def cpu():
    """The only device in C++, which has the fused kernels."""
    return cases.kernels_of("cpu")


def check(device, call):
    """Run a call on the device and on the specification, and compare.

    What a lifted device lacks, NumPy's own functions compute.
    """
    ulp = None if device is cases.kernels_of("cpu") else NUMPY_ULP
    for i, (got, expected) in enumerate(zip(call.run_all(device), call.run_all(spec), strict=True)):
        assert_right(call, got, expected, ulp=ulp, position=i)


def property_test(examples):
    """Settings for `examples` calls; however slow a busy machine makes them, they are no failure.

    An eighth of them where these tests run once more, with another instruction set.
    """
    examples = examples // 8 if "NEEDLE_ISA" in os.environ else examples
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("name", spec.UNARY)
@property_test(25)
@given(data=st.data())
def test_unary(device, name, data):
    check(device, data.draw(cases.elementwise_calls(f"ewise_{name}", inputs=1)))


@pytest.mark.parametrize("name", spec.BINARY | spec.COMPARISON)
@property_test(25)
@given(data=st.data())
def test_binary(device, name, data):
    check(device, data.draw(cases.elementwise_calls(f"ewise_{name}", inputs=2)))


@pytest.mark.parametrize("name", spec.BINARY | spec.COMPARISON | spec.REVERSED)
@property_test(25)
@given(data=st.data())
def test_scalar(device, name, data):
    check(device, data.draw(cases.elementwise_calls(f"scalar_{name}", inputs=1)))


@pytest.mark.parametrize("name", ["reduce_sum", "reduce_max", "reduce_min", "reduce_argmax"])
@property_test(60)
@given(data=st.data())
def test_reduction(device, name, data):
    check(device, data.draw(cases.reduction_calls(name)))


@property_test(60)
@given(call=cases.logsumexp_calls())
def test_logsumexp(cpu, call):
    check(cpu, call)


@property_test(60)
@given(call=cases.softmax_calls())
def test_softmax(cpu, call):
    check(cpu, call)


@pytest.mark.parametrize("name", cases.OPTIMIZERS)
@property_test(60)
@given(data=st.data())
def test_optimizer(cpu, name, data):
    check(cpu, data.draw(cases.optimizer_calls(name)))


@property_test(60)
@given(call=cases.copy_calls())
def test_copy(device, call):
    check(device, call)


@property_test(60)
@given(call=cases.where_calls())
def test_where(device, call):
    check(device, call)


@property_test(60)
@given(call=cases.matmul_calls())
def test_matmul(device, call):
    check(device, call)


@pytest.mark.parametrize("name", ["gather", "scatter_add"])
@property_test(60)
@given(data=st.data())
def test_indexing(device, name, data):
    check(device, data.draw(cases.indexing_calls(name)))


@property_test(25)
@given(call=cases.one_hot_calls())
def test_one_hot(device, call):
    check(device, call)


@property_test(25)
@given(call=cases.fill_calls())
def test_fill(device, call):
    check(device, call)


@property_test(60)
@given(call=cases.from_numpy_calls())
def test_from_numpy(device, call):
    check(device, call)
