"""Gradients of arithmetic, with care: other shapes and dtypes, negative numbers, second derivatives."""

from __future__ import annotations

import pytest

from hw.derivatives import numerical, random
from hw.hw1.tests.checks import gradients, is_graph_of, node_of
from hw.testing import hint, same
from needle.autograd import Tensor
from needle.ops import DivScalar, EWiseDiv, Negate, PowerScalar

CASES = [
    (Negate(), lambda a: -a),
    (DivScalar(-0.3), lambda a: a / -0.3),
    (PowerScalar(2), lambda a: a * a),
    (PowerScalar(3), lambda a: a * a * a),
    (PowerScalar(-2), lambda a: 1 / (a * a)),
    (PowerScalar(1), lambda a: a),
    (EWiseDiv(), lambda a, b: a / b),
]


def inputs_of(op, *shape, dtype="float64"):
    a = random(*shape, low=-3.0, high=-0.4, dtype=dtype)
    return (a, random(*shape, seed=1, low=0.4, dtype=dtype)) if isinstance(op, EWiseDiv) else (a,)


@hint("Any shape, also without axes and without elements; negative numbers, too.")
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 1, 3), (3, 2, 2, 2)])
@pytest.mark.parametrize(("op", "f"), CASES, ids=str)
def test_any_shape(op, f, shape):
    arrays, g = inputs_of(op, *shape), random(*shape, seed=5)
    for position, (found, expected) in enumerate(zip(gradients(op, f(*arrays), g, *arrays), numerical(f, g, *arrays))):
        same(found, expected, of=f"the gradient of input {position} of {op}", given={"out_grad": g})


@hint("float32 stays float32.")
@pytest.mark.parametrize(("op", "f"), CASES, ids=str)
def test_dtypes_are_kept(op, f):
    arrays, g = inputs_of(op, 2, 3, dtype="float32"), random(2, 3, seed=5, dtype="float32")
    expected = numerical(f, g, *(array.astype("float64") for array in arrays))
    for found, right in zip(gradients(op, f(*arrays).astype("float32"), g, *arrays), expected):
        same(found, right, of=f"a gradient of {op}", dtype="float32", rtol=1e-3, atol=1e-4)


@hint("Neither inputs nor out_grad may be written to.")
@pytest.mark.parametrize(("op", "f"), CASES, ids=str)
def test_nothing_is_written_to(op, f):
    arrays, g = inputs_of(op, 3), Tensor(random(3, seed=5))
    inputs = [Tensor(array) for array in arrays]
    node = node_of(op, f(*arrays), *inputs)
    op.gradient_as_tuple(g, node)
    for name, tensor, before in [
        ("out_grad", g, random(3, seed=5)),
        ("the output", node, f(*arrays)),
        *(("an input", x, array) for x, array in zip(inputs, arrays)),
    ]:
        same(tensor, before, of=f"{name}, after {op}.gradient")


@hint("The derivative depends on the inputs: they have to be in its graph, as the Tensors that they are.")
@pytest.mark.parametrize(("op", "position"), [(EWiseDiv(), 0), (EWiseDiv(), 1), (PowerScalar(3), 0)], ids=str)
def test_second_derivatives_see_the_inputs(op, position):
    a, b, g = Tensor([1.0, 2.0]), Tensor([4.0, 5.0]), Tensor([1.0, 1.0])
    node = node_of(op, [0.25, 0.4], *((a, b) if isinstance(op, EWiseDiv) else (a,)))
    found = op.gradient_as_tuple(g, node)[position]
    needed = b if isinstance(op, EWiseDiv) else a
    # a / b may be taken from the node or be computed again, but b is needed for both.
    of = f"whether the gradient of input {position} of {op} is made of what it depends on, by operators"
    same(is_graph_of(found, g, needed), True, of=of)
