"""Random graphs: shapes, broadcasts, views, reductions, products, nodes used twice. Eager, lazy and compiled agree."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import needle as ndl
from needle.backend_selection import BACKEND

pytestmark = pytest.mark.skipif(BACKEND == "np", reason="compiled functions run as they are under np")

Build = Callable[[list[ndl.Tensor]], ndl.Tensor]

UNARY = {
    "relu": ndl.relu,
    "tanh": ndl.tanh,
    "sigmoid": ndl.sigmoid,
    "negate": ndl.negate,
    "exp of tanh": lambda x: ndl.exp(ndl.tanh(x)),
    "scaled": lambda x: x * 0.5 + 1,
    "square": lambda x: x**2,
    "logsoftmax": lambda x: ndl.logsoftmax(x),
    "softmax": lambda x: ndl.softmax(x),
}
BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (b * b + 1),
    "maximum": lambda a, b: ndl.maximum(a, b) if hasattr(ndl, "maximum") else a + ndl.relu(b - a),
}


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[tuple[int, ...]], Build]:
    """Shapes of leaves, and a function that builds a scalar from them; every node may be used again later."""
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    shapes = draw(
        st.lists(
            st.sampled_from([(rows, columns), (1, columns), (rows, 1), (columns,), (columns, rows)]),
            min_size=1,
            max_size=3,
        )
    )
    known = list(shapes)
    plan: list[tuple[Callable[..., ndl.Tensor], tuple[int, ...]]] = []

    def add(function: Callable[..., ndl.Tensor], inputs: tuple[int, ...], shape: tuple[int, ...]) -> None:
        plan.append((function, inputs))
        known.append(shape)

    for _ in range(draw(st.integers(1, 8))):
        i = draw(st.integers(0, len(known) - 1))
        shape = known[i]
        kind = draw(st.sampled_from(["unary", "binary", "matmul", "transpose", "reshape", "slice", "sum", "max"]))
        if kind == "unary" and shape:
            add(UNARY[draw(st.sampled_from(sorted(UNARY)))], (i,), shape)
        elif kind == "binary":
            fitting = [j for j, other in enumerate(known) if _broadcast(shape, other) is not None]
            j = draw(st.sampled_from(fitting))
            result = _broadcast(shape, known[j])
            assert result is not None
            add(BINARY[draw(st.sampled_from(sorted(BINARY)))], (i, j), result)
        elif kind == "matmul" and len(shape) == 2:
            fitting = [j for j, other in enumerate(known) if len(other) == 2 and other[0] == shape[1]]
            if fitting:
                j = draw(st.sampled_from(fitting))
                add(lambda a, b: a @ b, (i, j), (shape[0], known[j][1]))
        elif kind == "transpose" and len(shape) == 2:
            add(lambda a: a.transpose(), (i,), shape[::-1])
        elif kind == "reshape":
            size = int(np.prod(shape))
            add(lambda a, n=size: a.reshape((n,)), (i,), (size,))
        elif kind == "slice" and shape and shape[0] > 1:
            add(lambda a: a[1:], (i,), (shape[0] - 1, *shape[1:]))
        elif kind == "sum" and shape:
            axis = draw(st.integers(0, len(shape) - 1))
            add(lambda a, axis=axis: a.sum(axes=axis), (i,), shape[:axis] + shape[axis + 1 :])
        elif kind == "max" and shape:
            axis = draw(st.integers(0, len(shape) - 1))
            add(lambda a, axis=axis: a.max(axes=axis, keepdims=True), (i,), (*shape[:axis], 1, *shape[axis + 1 :]))

    def build(leaves: list[ndl.Tensor]) -> ndl.Tensor:
        nodes = list(leaves)
        for function, inputs in plan:
            nodes.append(function(*[nodes[i] for i in inputs]))
        total = nodes[-1].sum()
        for leaf in leaves:  # so that each leaf has a gradient
            total = total + (leaf * 0.25).sum()
        return total

    return shapes, build


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        return tuple(np.broadcast_shapes(a, b))
    except ValueError:
        return None


def leaves_of(shapes: list[tuple[int, ...]], seed: int) -> list[ndl.Tensor]:
    random = np.random.default_rng(seed)
    return [ndl.Tensor(random.standard_normal(shape)) for shape in shapes]


def value_and_gradients(build: Build, leaves: list[ndl.Tensor]) -> list[bytes]:
    value = build(leaves)
    value.backward(create_graph=False)
    return [value.numpy().tobytes(), *[leaf.grad.numpy().tobytes() for leaf in leaves]]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs())
def test_eager_lazy_and_compiled_agree_bit_for_bit(graph):
    shapes, build = graph

    @ndl.compile
    def compiled(*leaves):
        value = build(list(leaves))
        value.backward(create_graph=False)
        return value

    for seed in range(4):
        with np.errstate(all="ignore"):
            expected = value_and_gradients(build, leaves_of(shapes, seed))
            with ndl.lazy_mode():
                assert value_and_gradients(build, leaves_of(shapes, seed)) == expected
            leaves = leaves_of(shapes, seed)
            value = compiled(*leaves)
        got = [value.numpy().tobytes(), *[leaf.grad.numpy().tobytes() for leaf in leaves]]
        assert got == expected, f"call {seed}"
    assert len(compiled.programs) == 1
