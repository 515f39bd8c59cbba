"""Reverse mode: only + and * and operators that are defined here, which need nothing of the assignment."""

from __future__ import annotations

import numpy as np
import pytest

from hw.hw1.tests.checks import is_graph_of, values
from hw.testing import hint, raises, same
from needle.autograd import Tensor, TensorOp, compute_gradient_of_variables

A, B = np.array([2.0, -1.0, 0.5]), np.array([3.0, 4.0, -2.0])


def check(of, f, expected, mistakes=None, out_grad=None):
    """Compare what y = f(a, b) leaves in a and b; None stands for no gradient."""
    a, b = Tensor(A), Tensor(B)
    g = np.ones(3) if out_grad is None else out_grad
    compute_gradient_of_variables(f(a, b), Tensor(g, requires_grad=False))
    given = {"a": A, "b": B} | ({} if out_grad is None else {"out_grad": out_grad})
    for name, leaf, right, wrong in zip("ab", (a, b), expected, mistakes or ({}, {})):
        same(leaf.grad, right, of=f"{name}.grad for y = {of}", given=given, mistakes=wrong)


ONE = {
    "a + b": (lambda a, b: a + b, (np.ones(3), np.ones(3))),
    "a * b": (lambda a, b: a * b, (B, A)),
    "a * 3": (lambda a, b: a * 3, (np.full(3, 3.0), None)),
}


@hint("The adjoint of y is out_grad. Its op's gradient_as_tuple turns it into a share for each input: their grad.")
@pytest.mark.parametrize("of", ONE)
def test_one_operator(of):
    check(of, *ONE[of])


CHAINS = {
    "a * 2 + 1": (lambda a, b: a * 2 + 1, (np.full(3, 2.0), None)),
    "(a * 2 + b) * 3": (lambda a, b: (a * 2 + b) * 3, (np.full(3, 6.0), np.full(3, 3.0))),
    "(a * 5 * b + 7) * 2": (lambda a, b: (a * 5 * b + 7) * 2, (10 * B, 10 * A)),
}


@hint("Shares travel on: what a node gets, its own op's gradient hands to its inputs.")
@pytest.mark.parametrize("of", CHAINS)
def test_a_chain(of):
    check(of, *CHAINS[of])


@hint("out_grad is where it begins, not ones.")
@pytest.mark.parametrize("out_grad", [[1.0, 2.0, 3.0], [0.0, -1.0, 10.0]])
def test_out_grad(out_grad):
    g = np.array(out_grad)
    mistakes = ({"out_grad is not used": B}, {"out_grad is not used": A})
    check("a * b", lambda a, b: a * b, (g * B, g * A), mistakes, out_grad=g)


# The last is what comes out if only one share of a's is kept.
SHARED = {
    "a + a": (lambda a, b: a + a, (np.full(3, 2.0), None), np.ones(3)),
    "a * a": (lambda a, b: a * a, (2 * A, None), A),
    "a * b + a": (lambda a, b: a * b + a, (B + 1, A), B),
    "(a + b) + a": (lambda a, b: (a + b) + a, (np.full(3, 2.0), np.ones(3)), np.ones(3)),
    "a * a * a": (lambda a, b: a * a * a, (3 * A * A, None), A * A),
}


@hint("A node that is used several times gets several shares, and its adjoint is their sum: sum_node_list.")
@pytest.mark.parametrize("of", SHARED)
def test_used_several_times(of):
    f, expected, only_one = SHARED[of]
    mistakes = ({"only one share is kept, of several": only_one}, {"b was given a share of a's": expected[0]})
    check(of, f, expected, mistakes)


def early_and_late(a, b):
    """(c b + a) + c with c = 2 a."""
    c = a * 2
    return (c * b + a) + c


def ladder(a, b):
    """(d + c) (d + b) with c = a + b and d = c a."""
    c = a + b
    d = c * a
    return (d + c) * (d + b)


C, D = A + B, (A + B) * A
ORDERED = {
    early_and_late: (2 * B + 3, 2 * A),
    ladder: ((A + C + 1) * (D + B) + (D + C) * (A + C), (A + 1) * (D + B) + (D + C) * (A + 1)),
}


@hint("A node hands on its adjoint when it is complete: after all nodes that were made of it.")
@pytest.mark.parametrize("f", ORDERED)
def test_order(f):
    check(f.__doc__.rstrip("."), f, ORDERED[f])


class Twice(TensorOp):
    """2 a, which counts how often its gradient is asked for."""

    asked = 0

    def compute(self, a):
        return a * 2

    def gradient(self, out_grad, node):
        self.asked += 1
        return out_grad * 2


@hint("Sum the shares first, and then ask a node's op for its gradient: once.")
@pytest.mark.parametrize("uses", [1, 2, 3])
def test_each_gradient_is_asked_for_once(uses):
    op, a = Twice(), Tensor(A)
    b = op(a)
    y = b
    for _ in range(uses - 1):
        y = y + b
    compute_gradient_of_variables(y, Tensor(np.ones(3), requires_grad=False))
    same(a.grad, np.full(3, 2.0 * uses), of=f"a.grad, where 2 a is used {uses} times")
    same(op.asked, 1, of="how often the gradient of 2 a was asked for")


class First(TensorOp):
    """a; b has no gradient."""

    def compute(self, a, b):
        return a

    def gradient(self, out_grad, node):
        return out_grad, None


@hint("None stands for no share: there is nothing to hand on.")
@pytest.mark.parametrize("also", [False, True])
def test_an_input_without_gradient(also):
    a, b = Tensor(A), Tensor(B)
    y = First()(a, b * 2)
    if also:
        y = y + b
    compute_gradient_of_variables(y, Tensor(np.ones(3), requires_grad=False))
    same(a.grad, np.ones(3), of="a.grad")
    same(b.grad, np.ones(3) if also else None, of="b.grad")


@hint("grad is for leaves (node.is_leaf()) that require it, and for nodes that asked: node.keeps_grad.")
@pytest.mark.parametrize("asked", [False, True])
def test_who_gets_a_grad(asked):
    a, b, c = Tensor(A), Tensor(B), Tensor(B, requires_grad=False)
    hidden = a * c
    if asked:
        hidden.retain_grad()
    y = hidden * b
    compute_gradient_of_variables(y, Tensor(np.ones(3), requires_grad=False))
    same(a.grad, B * B, of="a.grad for y = (a c) b, with b = c")
    same(c.grad, None, of="c.grad, where c requires none")
    same(hidden.grad, B if asked else None, of=f"(a c).grad, which {'asked' if asked else 'did not ask'} for it")
    same(y.grad, None, of="y.grad, which did not ask for it")


@hint("A later walk replaces grad; it does not add to it.")
@pytest.mark.parametrize("times", [2, 3])
def test_grad_is_replaced(times):
    a = Tensor(A)
    for factor in range(times):
        compute_gradient_of_variables(a * factor, Tensor(np.ones(3), requires_grad=False))
    mistakes = {"gradients of several walks are added": np.full(3, times * (times - 1) / 2)}
    same(a.grad, np.full(3, times - 1.0), of=f"a.grad after {times} walks, of 0 a, 1 a, ...", mistakes=mistakes)


@hint("A gradient has the dtype of its leaf: in_dtype_of(node, adjoint), in the same file.")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(dtype):
    a, b = Tensor(A, dtype=dtype), Tensor(B, dtype=dtype)
    compute_gradient_of_variables(a * b, Tensor(np.ones(3), requires_grad=False))
    same(a.grad, B, of=f"a.grad for y = a b, all {dtype}, with out_grad float64", dtype=dtype)


class Misfit(TensorOp):
    """2 a, with a gradient of another shape."""

    def compute(self, a):
        return a * 2

    def gradient(self, out_grad, node):
        return Tensor(np.ones((2, 3)))


@hint("Ask node.op.gradient_as_tuple(adjoint, node): it checks shapes and tells the debugger, op.gradient does not.")
@pytest.mark.parametrize("depth", [0, 1])
def test_wrong_shapes_are_found(depth):
    y = Misfit()(Tensor(A))
    with raises(ValueError, of="the walk through an op whose gradient has another shape than its input"):
        compute_gradient_of_variables(y * 2 if depth else y, Tensor(np.ones(3), requires_grad=False))


@hint("backward() calls your function. Gradients are Tensors with a graph, so they can be differentiated again.")
@pytest.mark.parametrize("power", [2, 3])
def test_gradient_of_the_gradient(power):
    a = Tensor(A)
    y = a * a if power == 2 else a * a * a
    y.backward()
    first = a.grad
    same(first, power * A ** (power - 1), of=f"a.grad for y = a^{power}", given={"a": A})
    same(is_graph_of(first, a), True, of="whether a.grad is made of a, by operators")
    first.backward()
    second = power * (power - 1) * A ** (power - 2)
    same(values(a.grad), second, of=f"the second derivative of a^{power}", given={"a": A})
