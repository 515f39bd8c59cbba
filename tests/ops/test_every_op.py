"""Every operator on every device, eager and lazy: values, gradients, gradients of gradients, inferred shapes.

The list of operators is read from the code, so an operator without a case fails here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import needle as ndl
from tests.conftest import WHOLE_DEVICES
from tests.ops.cases import CASES, Case, every_case, operator_classes

STEP = 1e-5


@pytest.fixture(
    params=[(WHOLE_DEVICES[0], "lazy"), *((device, "eager") for device in WHOLE_DEVICES)],
    ids=lambda p: f"{p[0]}-{p[1]}",
)
def device(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Every device eagerly, and the default one lazily too."""
    device, mode = request.param
    with ndl.lazy_mode() if mode == "lazy" else nullcontext():
        yield device


def outputs(value: ndl.Value) -> list[Any]:
    """The tensors of a TensorTuple; a Tensor as the only one."""
    return list(value) if isinstance(value, ndl.TensorTuple) else [value]


def reference_outputs(case: Case, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What NumPy gives, one array for each of `outputs`."""
    given = case.reference(*arrays)
    return [np.asarray(x, dtype="float64") for x in (given if isinstance(given, tuple) else (given,))]


def random_like(arrays: Sequence[np.ndarray], seed: int) -> list[np.ndarray]:
    """Normal draws in the shapes of `arrays`: as weights of outputs, or as a direction to move the inputs in."""
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(a.shape) for a in arrays]


def weighted_sum(values: Sequence[Any], weights: Sequence[Any]) -> ndl.Tensor:
    """The inner product of two lists of tensors, as a scalar."""
    total = (values[0] * weights[0]).sum()
    for value, weight in zip(values[1:], weights[1:]):
        total = total + (value * weight).sum()
    return total


def gradients(leaves: Sequence[ndl.Tensor]) -> list[np.ndarray]:
    """What `backward` left at the leaves: zeros where it did not pass."""
    return [np.zeros(x.shape) if x.grad is None else x.grad.numpy() for x in leaves]


def first_gradients(case: Case, arrays: Sequence[np.ndarray], weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The gradients of the weighted sum of the outputs at `arrays`, on the default device."""
    leaves = case.leaves(moved=arrays)
    weighted_sum(outputs(case.function(*leaves)), [ndl.Tensor(w, dtype="float64") for w in weights]).backward()
    return gradients(leaves)


def difference_quotient(f: Any, arrays: Sequence[np.ndarray], direction: Sequence[np.ndarray]) -> Any:
    """The derivative of `f` at `arrays` in `direction`, as a central difference."""
    ahead = f([a + STEP * d for a, d in zip(arrays, direction)])
    behind = f([a - STEP * d for a, d in zip(arrays, direction)])
    return [(x - y) / (2 * STEP) for x, y in zip(ahead, behind)]


def assert_close(given: Any, expected: Any) -> None:
    """Equal up to the error of a central difference in float64."""
    assert len(given) == len(expected)
    for x, y in zip(given, expected):
        np.testing.assert_allclose(x, y, rtol=2e-6, atol=2e-7)


def test_every_operator_has_a_case():
    missing = {op.__name__ for op in operator_classes()} - {case.op.__name__ for case in CASES}
    assert not missing, f"tests/ops/cases.py has no case for {sorted(missing)}"


@every_case
def test_a_function_ends_in_one_node_of_its_op_and_gives_what_numpy_gives(case, device):
    node = case.function(*case.leaves(device))
    assert type(node.op) is case.op
    expected = reference_outputs(case, case.arrays)
    for given, array in zip(outputs(node), expected, strict=True):
        assert given.shape == array.shape and given.device == device
        np.testing.assert_allclose(given.numpy(), array, rtol=1e-12, atol=1e-13)


@every_case
def test_the_gradient_is_the_limit_of_difference_quotients(case, device):
    weights = random_like(reference_outputs(case, case.arrays), seed=1)
    leaves = case.leaves(device)
    constants = [ndl.Tensor(w, device=device, dtype="float64", requires_grad=False) for w in weights]
    weighted_sum(outputs(case.function(*leaves)), constants).backward()
    expected = []
    for position, array in enumerate(case.arrays):
        gradient = np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            direction = [np.zeros(a.shape) for a in case.arrays]
            direction[position][index] = 1
            change = difference_quotient(lambda arrays: reference_outputs(case, arrays), case.arrays, direction)
            gradient[index] = sum(np.sum(w * c) for w, c in zip(weights, change))
        expected.append(gradient)
    assert_close(gradients(leaves), expected)


@every_case
def test_the_gradient_can_be_differentiated_again(case, device):
    """Of the gradient in a direction v, the gradient is H v at the inputs, and J v at the weights of the outputs."""
    weights = random_like(reference_outputs(case, case.arrays), seed=1)
    direction = random_like(case.arrays, seed=2)
    leaves = case.leaves(device)
    adjoints = [ndl.Tensor(w, device=device, dtype="float64") for w in weights]
    weighted_sum(outputs(case.function(*leaves)), adjoints).backward()
    reached = [(x.grad, v) for x, v in zip(leaves, direction) if x.grad is not None]
    for leaf in (*leaves, *adjoints):
        leaf.grad = None
    if reached:
        grads, constants = zip(*reached)
        weighted_sum(grads, [ndl.Tensor(v, device=device, dtype="float64") for v in constants]).backward()

    assert_close(
        gradients(adjoints),
        difference_quotient(lambda arrays: reference_outputs(case, arrays), case.arrays, direction),
    )
    assert_close(
        gradients(leaves),
        difference_quotient(lambda arrays: first_gradients(case, arrays, weights), case.arrays, direction),
    )


@every_case
def test_infer_tells_what_compute_gives_without_computing(case):
    negative_power = case.op is ndl.ops.PowerScalar and case.name == "-1"
    for dtype in ("float64", "float32") if negative_power else ("float64", "float32", "int32"):
        leaves = [ndl.Tensor(np.abs(a), dtype=dtype) for a in case.arrays]
        with ndl.lazy_mode():
            lazy = case.function(*leaves)
            inferred = lazy.spec
            assert lazy.cached_data is None
        assert inferred == case.function(*leaves).spec == (lazy.realize_cached_data(), lazy.spec)[1]


@every_case
def test_a_float32_tensor_gives_float32_values_and_gradients(case):
    if case.op in (ndl.ops.Cast, ndl.ops.ArgSort):
        return  # to float64, in all its cases; to int64
    leaves = [ndl.Tensor(a, dtype="float32") for a in case.arrays]
    results = outputs(case.function(*leaves))
    weighted_sum(results, results).backward()
    for x in (*results, *[leaf.grad for leaf in leaves if leaf.grad is not None]):
        assert x.dtype == "float32" and x.numpy().dtype == np.float32


FUSED_CASES = [case for case in CASES if hasattr(case.op.compute, "__wrapped__")]


@pytest.mark.parametrize("case", FUSED_CASES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_fused_kernel_gives_what_the_textbook_definition_beside_it_gives(case, dtype):
    node = case.function(*[ndl.Tensor(a, dtype=dtype) for a in case.arrays])
    textbook = case.op.compute.__wrapped__(node.op, *[x.cached_data for x in node.inputs])
    eps = np.finfo(dtype).eps
    for given, expected in zip(outputs(node), outputs(type(node).make_const(textbook))):
        assert given.spec == expected.spec
        np.testing.assert_allclose(given.numpy(), expected.numpy(), rtol=8 * eps, atol=8 * eps)
