"""Forward mode: deeper nests, tuples, exceptions, graphs of tangents, shapes and dtypes."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.derivatives import random
from hw.hw5.tests.checks import Alive, along, constant, is_graph_of
from hw.hw5.tests.test_forward_mode import Cubic
from hw.testing import hint, raises, same
from needle import ops
from needle.autograd import Tensor, TensorTuple
from needle.forward import Forward, push_forward
from needle.modes import interpreting, modes


def slope_of(f):
    """The derivative of a function, by forward mode, as a function."""

    def derivative(v):
        result, tangent_of = push_forward(f, [v], [constant(1.0)])
        tangent = tangent_of(result)
        return v * 0 if tangent is None else tangent

    return derivative


@hint("Each level of a nest has an interpreter of its own, and they are below one another.")
@pytest.mark.parametrize(("order", "expected"), [(1, 80.0), (2, 160.0), (3, 240.0), (4, 240.0), (5, 120.0)])
def test_higher_derivatives(order, expected):
    f = lambda v: v * v * v * v * v  # noqa: E731
    for _ in range(order):
        f = slope_of(f)
    same(f(constant(2.0)), expected, of=f"the derivative of order {order} of x^5 at 2")


@hint("Two variables of two levels: what the inner one differentiates is constant in the outer variable, or not.")
def test_mixed_derivatives():
    def by_y(x):
        return slope_of(lambda y: x * x * y * y)(x * 3)

    same(slope_of(by_y)(constant(2.0)), 6 * 3 * 4.0, of="d/dx of d/dy x^2 y^2 at y = 3 x, x = 2")

    def mistaken(x):
        return slope_of(lambda y: x * slope_of(lambda x: x * y)(x))(x)

    same(slope_of(mistaken)(constant(2.0)), 1.0, of="d/dx d/dy of x d/dz (z y), at 2")


@hint("A TensorTuple is a node as others are, and so is what is taken out of it.")
def test_tuples():
    def f(v):
        pair = ops.make_tuple(v * 2, v)
        return pair[0] * pair[1]

    result, tangent_of = push_forward(f, [constant([1.0, 3.0])], [constant([1.0, -1.0])])
    same(result, [2.0, 18.0], of="2 v v, by way of a tuple")
    same(tangent_of(result), [4.0, -12.0], of="its tangent")
    both, tangent_of = push_forward(
        lambda v: ops.make_tuple(v * 2, v * v), [constant([1.0, 3.0])], [constant([1.0, -1.0])]
    )
    same(isinstance(tangent_of(both), TensorTuple), True, of="whether the tangent of a tuple is a tuple")
    same(tangent_of(both), [[2.0, -2.0], [2.0, -6.0]], of="the tangent of the tuple (2 v, v v)")


@hint("An exception in the function leaves the stack of interpreters as it was.")
def test_exceptions():
    def fails(v):
        raise KeyError("on purpose")

    with raises(KeyError, of="a function that fails"):
        push_forward(fails, [constant(1.0)], [constant(1.0)])
    same(len(modes.interpreters), 0, of="how many interpreters are left on the stack")
    same(slope_of(lambda v: v * v)(constant(2.0)), 4.0, of="a derivative afterwards")


@hint("A tangent may require a gradient by itself: what is made of it is part of its graph.")
def test_a_tangent_with_a_graph():
    t = Tensor([1.0, 2.0])
    result, tangent_of = push_forward(lambda v: v * v, [constant([3.0, 4.0])], [t])
    moved = tangent_of(result)
    same(is_graph_of(moved, t), True, of="whether the tangent of v^2 is made of the given one")
    moved.sum().backward()
    same(t.grad, [6.0, 8.0], of="the gradient of the sum of 2 v dv by dv")


@hint("Reverse mode by what the function uses besides its arguments.")
def test_a_captured_parameter():
    w = Tensor([2.0, 5.0])
    result, tangent_of = push_forward(lambda v: v * v * w, [constant([3.0, 1.0])], [constant([1.0, 1.0])])
    tangent_of(result).sum().backward()
    same(w.grad, [6.0, 2.0], of="the gradient of the sum of 2 v w dv by w")


@hint("The result has a graph if an input requires a gradient, and none otherwise; tangents likewise.")
@pytest.mark.parametrize("requires", [True, False])
def test_graphs(requires):
    x = Tensor([3.0], requires_grad=requires)
    result, tangent_of = push_forward(lambda v: v * v, [x], [constant([1.0])])
    same([result.requires_grad, tangent_of(result).requires_grad], [requires] * 2, of="whether y and dy require one")
    if not requires:
        same([result.op is None, tangent_of(result).op is None], [True, True], of="whether they are leaves")
    else:
        same(is_graph_of(result, x), True, of="whether y was made of x itself, by way of the new node")


@hint("All kinds of shapes: the tangent has that of what moves along it.")
@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0,)])
def test_shapes(shape):
    a, t = random(*shape), random(*shape, seed=1)

    def f(v):
        return ndl.tanh(v * v) * v

    result, tangent_of = push_forward(f, [constant(a)], [constant(t)])
    expected = along(lambda x: np.tanh(x * x) * x, [a], [t])
    same(tangent_of(result), expected, of=f"the tangent of tanh(v v) v, {shape}", given={"v": a, "dv": t})


@hint("Tangents have the dtype of what moves along them, as the rules give it.")
def test_dtype():
    x, t = (constant(random(3, seed=i), "float32") for i in (0, 1))
    result, tangent_of = push_forward(lambda v: ndl.exp(v) * v + v, [x], [t])
    a, da = x.numpy(), t.numpy()
    same(tangent_of(result), (np.exp(a) * (a + 1) + 1) * da, of="the tangent of exp(v) v + v", dtype="float32")


@hint("enable_grad undoes no_grad, for forward mode too.")
def test_no_grad_and_back():
    def f(v):
        with ndl.no_grad():
            fixed = v * v
            with ndl.enable_grad():
                moving = v * v
        return fixed * 0 + moving

    result, tangent_of = push_forward(f, [constant(3.0)], [constant(1.0)])
    same(tangent_of(result), 6.0, of="the tangent of v v, made within enable_grad within no_grad")
    with ndl.no_grad():
        result, tangent_of = push_forward(lambda v: v * v, [constant(3.0)], [constant(1.0)])
    same(tangent_of(result), 6.0, of="the tangent of v v, all of it within no_grad")


@hint("A node that does not move has no tangent noted, and no rule is asked.")
def test_only_what_moves_is_noted():
    a, b = constant(2.0), constant(3.0)
    forward = Forward()
    forward.tangents[a] = constant(1.0)
    with interpreting(forward):
        still = b * b
        moving = still * a
    same([still in forward.tangents, moving in forward.tangents], [False, True], of="whether b b and b b a move")
    same(forward.tangents[moving], 9.0, of="the tangent of b b a")


@hint("The function and each of its nodes are computed once; intermediate nodes are let go.")
def test_the_function_runs_once():
    calls, alive = [], Alive()

    def f(v):
        calls.append(1)
        w = alive(v * v)
        return alive(w * v)

    result, tangent_of = push_forward(f, [constant([2.0])], [constant([1.0])])
    same(len(calls), 1, of="how often the function was called")
    same(alive.count(), 1, of="how many of its two nodes are alive")
    same(tangent_of(result), [12.0], of="the tangent of v v v")


@hint("A composite op of one input that does not move at all is constant.")
def test_a_composite_within_forward_mode():
    b = constant([2.0, 3.0])

    def f(v):
        return Cubic()(v * 2, b) + Cubic()(b, b)

    a, da = np.array([1.0, -1.0]), np.array([1.0, 2.0])
    result, tangent_of = push_forward(f, [constant(a)], [constant(da)])
    expected = 24 * a**2 * b.numpy() * da
    same(tangent_of(result), expected, of="the tangent of (2 v)^3 b + b^3 b", given={"v": a, "dv": da})
    x = Tensor(a)
    result, tangent_of = push_forward(f, [x], [constant(da)])
    tangent_of(result).sum().backward()
    same(x.grad, 48 * a * b.numpy() * da, of="the gradient of its sum by v", given={"v": a})
