"""Forward rules of kinds of operators. `jvp` is called on nodes that are made by hand: no forward mode is needed."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw5.tests.checks import along, constant, is_graph_of, node_of, tangent
from hw.testing import hint, same
from needle import ops
from needle.autograd import Tensor, TensorOp
from needle.ops.rules import Elementwise, Linear, Multilinear

LINEAR = {
    "-a": (ops.Negate(), (3,), np.negative),
    "3 a": (ops.MulScalar(3.0), (2, 2), lambda a: 3 * a),
    "a, reshaped": (ops.Reshape((3, 2)), (2, 3), lambda a: a.reshape(3, 2)),
    "a, transposed": (ops.Transpose(), (2, 3), np.transpose),
    "a, broadcast": (ops.BroadcastTo((4, 3)), (3,), lambda a: np.broadcast_to(a, (4, 3))),
    "the sum over axis 1": (ops.Summation(1), (2, 3), lambda a: a.sum(1)),
}


@hint("A linear map of a moving input moves by that same map of the tangent: the op, applied to the tangent.")
@pytest.mark.parametrize("of", LINEAR)
def test_linear(of):
    op, shape, f = LINEAR[of]
    a, da = random(*shape), random(*shape, seed=1)
    same(tangent(op, f(a), [a], [da]), f(da), of=f"the tangent of {of}", given={"a": a, "da": da})


class Mixed(Linear, TensorOp):
    """2 a - 3 b."""

    def compute(self, a, b):
        return 2 * a - 3 * b


@hint("An input that does not move has the tangent 0, which takes part in the map: zero_of(x), from .tuples.")
@pytest.mark.parametrize("moves", ["a and b", "a", "b"])
def test_linear_in_two_inputs(moves):
    a, b, da, db = (random(2, seed=i) for i in range(4))
    tangents = (da if "a" in moves[:1] else None, db if "b" in moves else None)
    expected = 2 * (0 if tangents[0] is None else da) - 3 * (0 if tangents[1] is None else db)
    mistakes = {
        "an input that does not move takes its place in the map, not 0": 2 * (a if tangents[0] is None else da)
        - 3 * (b if tangents[1] is None else db)
    }
    mistakes = {} if moves == "a and b" else mistakes
    found = tangent(Mixed(), 2 * a - 3 * b, [a, b], tangents)
    given = {"a": a, "b": b, "da": tangents[0], "db": tangents[1]}
    same(found, expected, of=f"the tangent of 2 a - 3 b, with {moves} moving", given=given, mistakes=mistakes)


PRODUCTS = {
    "a b": (ops.EWiseMul(), (2,), (2,), np.multiply),
    "a @ b": (ops.MatMul(), (2, 3), (3, 4), np.matmul),
    "a @ b, both square": (ops.MatMul(), (2, 2), (2, 2), np.matmul),
}


@hint("The product rule: f(da, b) + f(a, db). Of a term whose input does not move nothing is left.")
@pytest.mark.parametrize("of", PRODUCTS)
@pytest.mark.parametrize("moves", ["a and b", "a", "b"])
def test_multilinear(of, moves):
    op, left, right, f = PRODUCTS[of]
    a, b, da, db = random(*left), random(*right, seed=1), random(*left, seed=2), random(*right, seed=3)
    expected = {"a and b": f(da, b) + f(a, db), "a": f(da, b), "b": f(a, db)}[moves]
    mistakes = {"this is the product of the tangents": f(da, db), "only a moves": f(da, b), "only b moves": f(a, db)}
    if moves != "a and b":
        mistakes = {"the term of an input that does not move counts": expected + f(a, b)}
    found = tangent(op, f(a, b), [a, b], [da if moves != "b" else None, db if moves != "a" else None])
    given = {"a": a, "b": b, "da": da if moves != "b" else None, "db": db if moves != "a" else None}
    same(found, expected, of=f"the tangent of {of}, with {moves} moving", given=given, mistakes=mistakes)


class Triple(Multilinear, TensorOp):
    """a b c, elementwise."""

    def compute(self, a, b, c):
        return a * b * c


@hint("One term for each input that moves, with the other inputs as they are.")
@pytest.mark.parametrize("still", [(), (1,), (0, 2)])
def test_multilinear_in_three_inputs(still):
    arrays, tangents = [random(3, seed=i) for i in range(3)], [random(3, seed=i) for i in range(3, 6)]
    tangents = [None if i in still else t for i, t in enumerate(tangents)]
    expected = along(lambda a, b, c: a * b * c, arrays, tangents)
    found = tangent(Triple(), np.prod(arrays, axis=0), arrays, tangents)
    of = f"the tangent of a b c, where {', '.join(x for i, x in enumerate('abc') if i not in still)} moves"
    same(found, expected, of=of, given=dict(zip(["a", "b", "c", "da", "db", "dc"], [*arrays, *tangents])))


FUNCTIONS = {
    "exp a": (ops.Exp(), np.exp),
    "log a": (ops.Log(), np.log),
    "tanh a": (ops.Tanh(), np.tanh),
    "a^3": (ops.PowerScalar(3), lambda a: a**3),
    "a + 5": (ops.AddScalar(5.0), lambda a: a + 5),
    "relu a": (ops.ReLU(), lambda a: np.maximum(a, 0)),
}


@hint("A diagonal matrix is its own transpose: gradient(tangent, node) is the tangent of the output.")
@pytest.mark.parametrize("of", FUNCTIONS)
@pytest.mark.parametrize("shape", [(1,), (2, 3)])
def test_elementwise(of, shape):
    op, f = FUNCTIONS[of]
    a, da = random(*shape, low=0.5), random(*shape, seed=1)
    expected = along(f, [a], [da])
    mistakes = {"the derivative is there, but not the tangent": along(f, [a], [np.ones(shape)])}
    found = tangent(op, f(a), [a], [da])
    same(found, expected, of=f"the tangent of {of}", given={"a": a, "da": da}, mistakes=mistakes)


class Wave(Elementwise, TensorOp):
    """a sin b."""

    def compute(self, a, b):
        return a * np.sin(b)

    def gradient(self, out_grad, node):
        a, b = node.inputs
        return out_grad * ops.sin(b), out_grad * a * ops.cos(b)


@hint("Each moving input contributes gradient(its tangent, node), of which only the entry of that input counts.")
@pytest.mark.parametrize("moves", ["a and b", "a", "b"])
def test_elementwise_with_two_inputs(moves):
    a, b, da, db = (random(3, seed=i) for i in range(4))
    by_a, by_b = np.sin(b) * da, a * np.cos(b) * db
    expected = {"a and b": by_a + by_b, "a": by_a, "b": by_b}[moves]
    mistakes = {
        "tangent and entry of gradient do not belong together": np.sin(b) * db,
        "all entries of gradient are added for each input": (np.sin(b) + a * np.cos(b)) * (da + db),
        "the first entry of gradient counts for each input": np.sin(b) * (da + db),
        "only a moves": by_a,
    }
    mistakes = {what: result for what, result in mistakes.items() if not np.allclose(result, expected)}
    found = tangent(Wave(), a * np.sin(b), [a, b], [da if moves != "b" else None, db if moves != "a" else None])
    given = {"a": a, "b": b, "da": da if moves != "b" else None, "db": db if moves != "a" else None}
    same(found, expected, of=f"the tangent of a sin(b), with {moves} moving", given=given, mistakes=mistakes)


@hint("Tangents are made of Tensors, by operators: so they can be differentiated in turn.")
@pytest.mark.parametrize(("op", "of"), [(ops.EWiseMul(), "a b"), (ops.MatMul(), "a @ b"), (Wave(), "a sin(b)")])
def test_tangents_can_be_differentiated(op, of):
    a, b, da, db = (Tensor(random(2, 2, seed=i)) for i in range(4))
    found = op.jvp((da, db), node_of(op, np.zeros((2, 2)), a, b))
    same(
        is_graph_of(found, a, b, da, db), True, of=f"whether the tangent of {of} is made of a, b, da, db, by operators"
    )
    found = op.jvp((constant(da.numpy()), None), node_of(op, np.zeros((2, 2)), a, b))
    same(is_graph_of(found, b), True, of=f"whether the tangent of {of}, where a moves, is made of b, by operators")
