"""Every operator's rules for tangents and for batches, against its gradient, difference quotients and a loop.

The cases are those of `test_every_op`; the list of operators is read from the code, so one without rules fails here.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle.batching import run_batched
from needle.forward import push_forward
from needle.reverse import transposed_twice
from tests.conftest import WHOLE_DEVICES
from tests.ops.cases import Case, every_case, operator_classes
from tests.ops.test_every_op import (
    assert_close,
    difference_quotient,
    gradients,
    outputs,
    random_like,
    reference_outputs,
    weighted_sum,
)


@pytest.fixture(params=WHOLE_DEVICES, ids=str)
def device(request: pytest.FixtureRequest) -> Any:
    """Every device that computes in float64 itself."""
    return request.param


def constants(arrays: Sequence[np.ndarray], device: Any = None) -> list[ndl.Tensor]:
    """The arrays as float64 tensors that require no gradient."""
    return [ndl.Tensor(a, device=device, dtype="float64", requires_grad=False) for a in arrays]


def arrays_of(value: Any, like: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The values of a Tensor or TensorTuple; zeros for None."""
    return [np.zeros(a.shape) for a in like] if value is None else [x.numpy() for x in outputs(value)]


def tangents_of(case: Case, direction: Sequence[np.ndarray], moving: Sequence[bool], device: Any) -> list[np.ndarray]:
    """The tangents of the outputs of `case` where the inputs that are `moving` move in `direction`."""
    given = [t if moves else None for t, moves in zip(constants(direction, device), moving)]
    result, tangent_of = push_forward(case.function, constants(case.arrays, device), given)
    return arrays_of(tangent_of(result), reference_outputs(case, case.arrays))


def test_every_operator_has_rules_of_its_own():
    for op in operator_classes():
        assert op.jvp is not ndl.Op.jvp, f"{op.__name__} has no jvp"
        assert op.batch is not ndl.Op.batch, f"{op.__name__} has no batch"


@every_case
def test_the_tangent_is_the_limit_of_difference_quotients(case, device):
    direction = random_like(case.arrays, seed=2)
    choices = {(True,) * len(direction)}
    for position in range(len(direction)):
        choices.add(tuple(i == position for i in range(len(direction))))
    for moving in choices:
        moved = [d if moves else 0 * d for d, moves in zip(direction, moving)]
        expected = difference_quotient(lambda arrays: reference_outputs(case, arrays), case.arrays, moved)
        assert_close(tangents_of(case, direction, moving, device), expected)


@every_case
def test_the_tangent_rule_is_the_transpose_of_the_gradient_rule(case):
    """For every adjoint u and direction t:  u . (J t) = (J^T u) . t, up to rounding."""
    weights = random_like(reference_outputs(case, case.arrays), seed=1)
    direction = random_like(case.arrays, seed=2)
    leaves = case.leaves()
    weighted_sum(outputs(case.function(*leaves)), constants(weights)).backward()
    moved = tangents_of(case, direction, [True] * len(direction), None)
    left = sum(np.sum(u * t) for u, t in zip(weights, moved))
    right = sum(np.sum(g * t) for g, t in zip(gradients(leaves), direction))
    size = sum(np.sum(np.abs(g * t)) for g, t in zip(gradients(leaves), direction))
    assert abs(left - right) <= 1e-12 * (1 + size)


@every_case
def test_transposing_the_gradient_twice_gives_the_tangent(case):
    """The default rule, which a student's operator gets, agrees with the rule that the operator has."""
    leaves = case.leaves()
    node = case.function(*leaves)
    tangents = tuple(scaled(x, position + 0.5) for position, x in enumerate(node.inputs))
    like = reference_outputs(case, case.arrays)
    given = arrays_of(transposed_twice(node.op, tangents, node), like)
    assert_close(given, arrays_of(node.op.jvp(tangents, node), like))


def scaled(value: Any, factor: float) -> Any:
    """A tangent for `value`: itself, times a number."""
    if isinstance(value, ndl.TensorTuple):
        return ndl.make_tuple(*[x * factor for x in value])
    return value * factor


@every_case
def test_a_batch_gives_what_a_loop_gives(case, device):
    """With every input batched, and with each alone; values, and the tangents of tangents' ops on the way."""
    size = 3
    examples = [constants([a + 0.01 * i for a in case.arrays], device) for i in range(size)]
    choices = {(True,) * len(case.arrays)}
    for position in range(len(case.arrays)):
        choices.add(tuple(i == position for i in range(len(case.arrays))))
    for batched in choices:
        whole = [ndl.stack([e[i] for e in examples]) if b else examples[0][i] for i, b in enumerate(batched)]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = run_batched(case.function, whole, batched, size)
        singles = [[e[i] if b else examples[0][i] for i, b in enumerate(batched)] for e in examples]
        expected = zip(*[outputs(case.function(*single)) for single in singles])
        for given, one_by_one in zip(outputs(result), expected, strict=True):
            assert given.dtype == one_by_one[0].dtype
            np.testing.assert_allclose(given.numpy(), np.stack([x.numpy() for x in one_by_one]), rtol=1e-12, atol=1e-13)


@every_case
def test_a_batch_can_be_differentiated_per_example(case):
    """A gradient inside the batch: that of each example, as a loop over `backward` gives it."""
    size = 2
    arrays = [[a + 0.01 * i for a in case.arrays] for i in range(size)]
    weights = constants(random_like(reference_outputs(case, case.arrays), seed=1))
    expected = []
    for example in arrays:
        leaves = case.leaves(moved=example)
        weighted_sum(outputs(case.function(*leaves)), weights).backward()
        expected.append(gradients(leaves))

    def gradient(*examples: ndl.Tensor) -> ndl.TensorTuple:
        for x in examples:
            x.requires_grad = True
        weighted_sum(outputs(case.function(*examples)), weights).backward()
        return ndl.make_tuple(*[x * 0 if x.grad is None else x.grad for x in examples])

    whole = [ndl.stack(constants(columns)) for columns in zip(*arrays)]
    result = run_batched(gradient, whole, [True] * len(whole), size)
    for given, one_by_one in zip(result, zip(*expected), strict=True):
        np.testing.assert_allclose(given.numpy(), np.stack(one_by_one), rtol=1e-11, atol=1e-12)
