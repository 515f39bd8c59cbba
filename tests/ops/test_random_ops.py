"""Every operator on random shapes, options, strides and dtypes: its rules agree with it and with each other.

The list of operators is read from the code, so one without an entry in `tests.ops.random_calls` fails here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import needle as ndl
from needle import ops
from needle.backend_selection import BACKEND
from needle.forward import push_forward
from needle.func import jvp, vjp, vmap
from needle.reverse import transposed_twice
from tests.ops.cases import operator_classes
from tests.ops.random_calls import RECIPES, Call, calls, tensor, turned
from tests.ops.test_every_op import difference_quotient, outputs, random_like

#: Their outputs have the dtype that they name, whatever their inputs have.
OF_A_DTYPE = (ops.Cast, ops.OneHot)


def test_every_operator_has_random_calls():
    missing = {op.__name__ for op in operator_classes()} - {op.__name__ for op in RECIPES}
    assert not missing, f"RECIPES in tests/ops/random_calls.py says nothing of {sorted(missing)}"


@pytest.mark.parametrize("op", sorted(operator_classes(), key=lambda op: op.__name__), ids=lambda op: op.__name__)
@settings(
    max_examples=7 if BACKEND == "nd" else 4,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.data())
def test_the_rules_of_an_operator_agree(op, data):
    call = data.draw(calls(op))
    results = values_at(call)(call.arrays)
    us, ts = random_like(results, seed=1), random_like(call.arrays, seed=2)
    memory_order_does_not_matter(call, results)
    first_derivatives_agree(call, us, ts)
    second_derivatives_agree(call, us, ts)
    transposing_the_gradient_twice_gives_the_tangent(call)
    a_batch_gives_what_single_calls_give(call)
    infer_tells_what_compute_gives(call)
    float32_gives_what_float64_gives(call, us)


# What must hold for a call, any adjoints u of its outputs and any directions t in which its inputs move ---------------


def memory_order_does_not_matter(call: Call, results: list[np.ndarray]) -> None:
    """The values are those for compact arrays; and the last node is of the op that is to be tested."""
    node = call.function(*call.tensors(), *call.positions())
    assert type(node.op) is call.op
    assert_equal(numbers(outputs(node)), results)


def first_derivatives_agree(call: Call, us: list[np.ndarray], ts: list[np.ndarray]) -> None:
    """J t is the limit of difference quotients, and J^T its transpose: u . (J t) = (J^T u) . t."""
    f, xs, directions = call.of_arrays(), call.tensors(), views(call, ts)
    tangents = numbers(jvp(f, xs, directions)[1])
    assert_near(tangents, difference_quotient(values_at(call), call.arrays, ts))

    gradients = numbers(vjp(f, *xs)[1](views(call, us)))
    products = [np.sum(g * t) for g, t in zip(gradients, ts, strict=True)]
    forward = sum(np.sum(u * t) for u, t in zip(us, tangents, strict=True))
    assert abs(forward - sum(products)) <= 1e-10 * (1 + sum(map(abs, products)))

    if len(ts) > 1:  # the sum of the tangents where one input moves and the others are said not to
        total = [np.zeros(t.shape) for t in tangents]
        for position, direction in enumerate(directions):
            ys, tangent_of = push_forward(f, xs, [direction if i == position else None for i in range(len(ts))])
            total = [a if share is None else a + share.numpy() for a, share in zip(total, map(tangent_of, ys))]
        assert_equal(total, tangents, 1e-11)


def second_derivatives_agree(call: Call, us: list[np.ndarray], ts: list[np.ndarray]) -> None:
    """H t, with H the Hessian of u . f, is the limit of difference quotients of the gradient.

    By forward over reverse, reverse over reverse, and reverse over forward mode.
    """
    f, xs, adjoints, directions = call.of_arrays(), call.tensors(), views(call, us), views(call, ts)

    def gradient(*xs: ndl.Tensor) -> tuple[ndl.Tensor, ...]:
        return vjp(f, *xs)[1](adjoints)

    def tangent(*xs: ndl.Tensor) -> tuple[ndl.Tensor, ...]:
        return jvp(f, xs, directions)[1]

    def gradient_at(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        return numbers(gradient(*constants(call, arrays)))

    expected = difference_quotient(gradient_at, call.arrays, ts)
    assert_near(numbers(jvp(gradient, xs, directions)[1]), expected)
    assert_near(numbers(vjp(gradient, *xs)[1](directions)), expected)
    assert_near(numbers(vjp(tangent, *xs)[1](adjoints)), expected)


def transposing_the_gradient_twice_gives_the_tangent(call: Call) -> None:
    """The default rule, which a student's operator gets, on the node itself."""
    node = call.function(*call.tensors(), *call.positions())
    tangents = tuple(map(direction_of, node.inputs))
    shapes = [np.zeros(y.shape) for y in outputs(node)]
    by_default, by_rule = (
        shapes if t is None else numbers(outputs(t))
        for t in (transposed_twice(node.op, tangents, node), node.op.jvp(tangents, node))
    )
    assert_equal(by_default, by_rule, 1e-10)


def a_batch_gives_what_single_calls_give(call: Call) -> None:
    """Along any axis of the inputs, and without a loop over examples."""

    def function(*given: ndl.Tensor) -> tuple[ndl.Tensor, ...]:
        return tuple(outputs(call.function(*given)))

    examples = [call.example(number) for number in range(call.batch_size)]
    dtypes = ["float64"] * len(call.arrays) + ["int64"] * len(call.indices)
    wholes = [
        columns[0] if axis is None else np.stack(columns, axis)
        for axis, columns in zip(call.batch_axes, zip(*examples))
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        result = vmap(function, tuple(call.batch_axes))(
            *[tensor(a, turned(a.ndim), dtype, call.device) for a, dtype in zip(wholes, dtypes)]
        )
    singles = [
        function(*[ndl.Tensor(a, dtype=dtype, device=call.device) for a, dtype in zip(example, dtypes)])
        for example in examples
    ]
    for given_whole, one_by_one in zip(result, zip(*singles), strict=True):
        assert given_whole.dtype == one_by_one[0].dtype
        assert_equal([given_whole.numpy()], [np.stack(numbers(one_by_one))])


def infer_tells_what_compute_gives(call: Call) -> None:
    """Shape, dtype and device, for operands of each dtype."""
    for dtype in ("float64", "float32", "int32") if call.takes_integers else ("float64", "float32"):
        arrays = [np.ceil(np.abs(a)) for a in call.arrays] if dtype == "int32" else call.arrays
        leaves = [*call.tensors(dtype, arrays), *call.positions()]
        with ndl.lazy_mode():
            lazy = call.function(*leaves)
        inferred = lazy.spec
        assert lazy.cached_data is None
        assert inferred == call.function(*leaves).spec == (lazy.realize_cached_data(), lazy.spec)[1]


def float32_gives_what_float64_gives(call: Call, us: list[np.ndarray]) -> None:
    """Values and gradients in float32: in that dtype, and right up to its rounding."""
    rounded = [a.astype("float32").astype("float64") for a in call.arrays]
    (ys, gradients), (exact, exact_gradients) = (
        (ys, pullback(views(call, us, dtype)))
        for dtype in ("float32", "float64")
        for ys, pullback in [vjp(call.of_arrays(), *call.tensors(dtype, rounded))]
    )
    for y, wide in zip(ys, exact):
        assert y.dtype == (wide.dtype if call.op in OF_A_DTYPE else wide.dtype.replace("float64", "float32"))
    assert all(g.dtype == "float32" for g in gradients)
    assert_equal(numbers((*ys, *gradients)), numbers((*exact, *exact_gradients)), 1e-4)


# Tools ----------------------------------------------------------------------------------------------------------------


def numbers(tensors: Sequence[Any]) -> list[np.ndarray]:
    """The tensors as NumPy arrays."""
    return [x.numpy() for x in tensors]


def constants(call: Call, arrays: Sequence[np.ndarray]) -> list[ndl.Tensor]:
    """The arrays as tensors that require no gradient, and that are no views."""
    return [ndl.Tensor(a, dtype="float64", device=call.device, requires_grad=False) for a in arrays]


def values_at(call: Call) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """The values of the outputs, as a function of arrays."""
    return lambda arrays: numbers(call.of_arrays()(*constants(call, arrays)))


def views(call: Call, arrays: Sequence[np.ndarray], dtype: str = "float64") -> tuple[ndl.Tensor, ...]:
    """The arrays as constants whose data is a view."""
    return tuple(tensor(a, turned(a.ndim), dtype, call.device) for a in arrays)


def direction_of(x: Any) -> Any:
    """A tangent for an input of a node; none for whole numbers."""
    if isinstance(x, ndl.TensorTuple):
        return ndl.make_tuple(*map(direction_of, x))
    if not x.dtype.startswith("float"):
        return None
    (direction,) = random_like([np.zeros(x.shape)], seed=3)
    return tensor(direction, turned(x.ndim), x.dtype, x.device)


def assert_equal(given: Sequence[np.ndarray], expected: Sequence[np.ndarray], error: float = 1e-12) -> None:
    """Equal, and finite, up to an error relative to the largest element: by default, to rounding."""
    assert [x.shape for x in given] == [y.shape for y in expected]
    for x, y in zip(given, expected):
        assert np.isfinite(y).all()
        np.testing.assert_allclose(x, y, rtol=0, atol=error * (1 + np.max(np.abs(y), initial=0)))


def assert_near(given: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> None:
    """Equal up to the error of a central difference."""
    assert_equal(given, expected, 2e-6)
