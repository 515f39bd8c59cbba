"""Forward mode: `push_forward` and the interpreter behind it; and operators that are defined by others."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.hw5.tests.checks import Alive, constant, values
from hw.testing import hint, raises, same
from needle import ops
from needle.autograd import Tensor, TensorOp
from needle.forward import Forward, push_forward
from needle.modes import interpreting, modes
from needle.ops.rules import Composite, Elementwise

A, B = np.array([2.0, -1.0, 0.5]), np.array([3.0, 4.0, -2.0])
DA, DB = np.array([1.0, 2.0, -1.0]), np.array([0.5, 1.0, 3.0])


def pushed(f, tangents=(DA, DB), arrays=(A, B)):
    """The result and its tangent, as arrays."""
    given = [None if t is None else constant(t) for t in tangents]
    result, tangent_of = push_forward(f, [constant(x) for x in arrays], given)
    return values(result), values(tangent_of(result))


ONE = {
    "a * 3": (lambda a, b: a * 3, 3 * A, 3 * DA),
    "tanh(a)": (lambda a, b: ndl.tanh(a), np.tanh(A), DA / np.cosh(A) ** 2),
    "a * b": (lambda a, b: a * b, A * B, DA * B + A * DB),
    "a + b": (lambda a, b: a + b, A + B, DA + DB),
}


@hint("Forward.make: make the node below, ask for the inputs' tangents, and if there is one, for the node's: _tangent.")
@pytest.mark.parametrize("of", ONE)
def test_one_operator(of):
    f, result, expected = ONE[of]
    found, moved = pushed(f)
    given = {"a": A, "b": B, "da": DA, "db": DB}
    same(found, result, of=f"y = {of}", given=given)
    same(moved, expected, of=f"the tangent of y = {of}", given=given)


def several(a, b):
    """tanh(a b) (a + 2 b)."""
    return ndl.tanh(a * b) * (a + 2 * b)


T, DT = np.tanh(A * B), (DA * B + A * DB) / np.cosh(A * B) ** 2
CHAINS = {
    "(a * 2 + b) * 3": (lambda a, b: (a * 2 + b) * 3, 6 * DA + 3 * DB),
    "a * a * a": (lambda a, b: a * a * a, 3 * A * A * DA),
    "tanh(a b) (a + 2 b)": (several, DT * (A + 2 * B) + T * (DA + 2 * DB)),
    "the sum of a b": (lambda a, b: (a * b).sum(), np.sum(DA * B + A * DB)),
}


@hint("What make finds out goes into self.tangents, where the next node finds it.")
@pytest.mark.parametrize("of", CHAINS)
def test_a_chain(of):
    f, expected = CHAINS[of]
    same(pushed(f)[1], expected, of=f"the tangent of {of}", given={"a": A, "b": B, "da": DA, "db": DB})


STILL = {
    "a * b, where a moves": (lambda a, b: a * b, (DA, None), DA * B),
    "a * b, where b moves": (lambda a, b: a * b, (None, DB), A * DB),
    "a * b, where nothing moves": (lambda a, b: a * b, (None, None), None),
    "b * 2, where a moves": (lambda a, b: b * 2, (DA, None), None),
    "sign(a), which is piecewise constant": (lambda a, b: ndl.sign(a), (DA, None), None),
    "sign(a) * a": (lambda a, b: ndl.sign(a) * a, (DA, None), np.sign(A) * DA),
    "sign(a) * 2": (lambda a, b: ndl.sign(a) * 2, (DA, None), None),
}


@hint("None is the tangent of what does not move; a rule may give None, too, and then nothing is noted.")
@pytest.mark.parametrize("of", STILL)
def test_what_does_not_move(of):
    f, tangents, expected = STILL[of]
    same(pushed(f, tangents)[1], expected, of=f"the tangent of {of}", given={"da": tangents[0], "db": tangents[1]})


@hint("The function gets new nodes, made by alias. What it knows of the inputs themselves is constant.")
def test_the_inputs_themselves_do_not_move():
    x = constant(A)
    result, tangent_of = push_forward(lambda inner: inner * x, [x], [constant(DA)])
    mistakes = {"the input itself moves, too": 2 * A * DA}
    same(tangent_of(result), A * DA, of="the tangent of v * x, where only v moves", given={"x": A}, mistakes=mistakes)


@hint("The tangents are those of one Forward; the next one begins without any.")
def test_one_after_another():
    x = constant(A)
    for t in (DA, DB, None):
        result, tangent_of = push_forward(lambda v: v * v, [x], [None if t is None else constant(t)])
        same(tangent_of(result), None if t is None else 2 * A * t, of="the tangent of x^2", given={"dx": t})
    y = x * x
    same(tangent_of(y), None, of="the tangent of what was made outside")


@hint("The interpreter is on the stack while the function runs, and no longer: with interpreting(forward).")
def test_afterwards_nobody_interprets():
    push_forward(lambda v: v * 2, [constant(A)], [constant(DA)])
    same(len(modes.interpreters), 0, of="how many interpreters are left on the stack")


@hint("For the inner one, x does not move; what the inner one computes, the outer one sees. Each has its own tangents.")
@pytest.mark.parametrize("x", [1.0, 3.0])
def test_nested(x):
    one = constant(1.0)

    def inner(outer):
        """X times d(X + y)/dy, which is X times 1."""
        result, tangent_of = push_forward(lambda y: outer + y, [constant(1.0)], [one])
        return outer * tangent_of(result)

    result, tangent_of = push_forward(inner, [constant(x)], [one])
    same(result, x, of="x times d(x + y)/dy")
    mistakes = {"the outer tangent was taken for one of the inner": 2.0}
    same(tangent_of(result), 1.0, of="its derivative by x", given={"x": x}, mistakes=mistakes)


@hint("A tangent is made of nodes, too. Those of the inner one are made below it: where the outer one is.")
@pytest.mark.parametrize("power", [2, 3])
def test_second_derivatives(power):
    one = constant(np.ones(3))

    def f(v):
        return v * v if power == 2 else v * v * v

    def slope(v):
        result, tangent_of = push_forward(f, [v], [one])
        return tangent_of(result)

    result, tangent_of = push_forward(slope, [constant(A)], [one])
    same(result, power * A ** (power - 1), of=f"the derivative of x^{power}", given={"x": A})
    same(tangent_of(result), power * (power - 1) * A ** (power - 2), of=f"the second derivative of x^{power}")


@hint("Where an input requires a gradient, the tangent is part of a graph, and reverse mode goes through it.")
def test_reverse_mode_of_a_tangent():
    x = Tensor(A)
    result, tangent_of = push_forward(lambda v: v * v * v, [x], [constant(DA)])
    tangent_of(result).sum().backward()
    same(x.grad, 6 * A * DA, of="x.grad, after the tangent 3 x^2 dx was walked back", given={"x": A, "dx": DA})


class Exponential(Elementwise, TensorOp):
    """exp a, with a rule that computes it again; it counts how often it is asked for what."""

    def __init__(self) -> None:
        self.computed = self.moved = 0

    def compute(self, a):
        self.computed += 1
        return np.exp(a)

    def jvp(self, tangents, node):
        self.moved += 1
        if self.moved > 20:
            raise RuntimeError("forward mode differentiates its own work, without end")
        return tangents[0] * self(node.inputs[0])


@hint("Tangents are computed within below(self): this interpreter does not see what its own rules make.")
@pytest.mark.parametrize("moves", [True, False])
def test_a_rule_is_asked_once(moves):
    op = Exponential()
    x, t = constant(A), constant(DA)
    result, tangent_of = push_forward(op, [x], [t if moves else None])
    same(tangent_of(result), DA * np.exp(A) if moves else None, of="the tangent of exp(x)")
    same(op.moved, int(moves), of="how often the rule was asked")
    same(op.computed, 1 + moves, of="how often an exponential was computed")


@hint("no_grad: while self is in modes.constant, nothing that is made moves.")
@pytest.mark.parametrize("f", ["constant", "half"])
def test_no_grad(f):
    def function(v):
        with ndl.no_grad():
            fixed = v * v
        return fixed if f == "constant" else fixed * v

    moved = pushed(function, (DA,), (A,))[1]
    expected = None if f == "constant" else A * A * DA
    of = f"the tangent of {'v^2' if f == 'constant' else 'v^2 v'}, where v^2 is made within no_grad"
    same(moved, expected, of=of, given={"v": A, "dv": DA})


class Untensored(TensorOp):
    """2 a, with a rule that gives an array."""

    def compute(self, a):
        return 2 * a

    def jvp(self, tangents, node):
        return 2 * tangents[0].numpy()


class Misshapen(TensorOp):
    """2 a, with a rule that gives another shape."""

    def compute(self, a):
        return 2 * a

    def jvp(self, tangents, node):
        return tangents[0].sum()


@hint("_tangent, which is finished, asks op.jvp and checks what comes: leave that to it.")
@pytest.mark.parametrize(("op", "error"), [(Untensored(), TypeError), (Misshapen(), ValueError)])
def test_wrong_rules_are_found(op, error):
    x, t = constant(A), constant(DA)
    with raises(error, of=f"a rule that gives {'an array' if error is TypeError else 'another shape'}"):
        push_forward(op, [x], [t])


@hint("Forward works by itself, too: put tangents in, and interpret.")
def test_the_interpreter_alone():
    a, b = constant(2.0), constant(3.0)
    forward = Forward()
    forward.tangents[a] = constant(1.0)
    with interpreting(forward):
        v = a * b
        y = v * a
    same(forward.tangents[v], 3.0, of="the tangent of v = a b, where a moves", given={"a": 2.0, "b": 3.0})
    same(forward.tangents[y], 12.0, of="the tangent of v a")
    same(len(forward.tangents), 3, of="how many nodes move")


@hint("Forward mode keeps nothing for later: nobody may hold the nodes, tangents are noted in a weak dict.")
@pytest.mark.parametrize("steps", [3, 30])
def test_nothing_is_kept(steps):
    alive = Alive()

    def f(v):
        for _ in range(steps):
            v = alive(ndl.tanh(v))
        return v

    result, tangent_of = push_forward(f, [constant(A)], [constant(DA)])
    same(alive.count(), 1, of=f"how many of the {steps} nodes of a chain are alive, besides the inputs")
    same(tangent_of(result) is not None, True, of="whether the last one has a tangent")


class Cubic(Composite, TensorOp):
    """a a a b."""

    def compute(self, a, b):
        return a**3 * b

    def definition(self, a, b):
        return a * a * a * b


@hint("Composite: push the tangents through self.definition, and give that of the result.")
@pytest.mark.parametrize("moves", ["a and b", "a", "b"])
def test_composite(moves):
    tangents = (DA if moves != "b" else None, DB if moves != "a" else None)
    by_a, by_b = 3 * A * A * B * DA, A**3 * DB
    expected = {"a and b": by_a + by_b, "a": by_a, "b": by_b}[moves]
    found, moved = pushed(Cubic(), tangents)
    same(found, A**3 * B, of="a a a b")
    same(moved, expected, of=f"the tangent of an op that is defined as a a a b, with {moves} moving")


@hint("An op that is defined by others is differentiated as often as they are: nest two push_forward.")
def test_second_derivative_of_a_composite():
    b, one = constant(B), constant(np.ones(3))

    def slope(v):
        result, tangent_of = push_forward(lambda w: Cubic()(w, b), [v], [one])
        return tangent_of(result)

    result, tangent_of = push_forward(slope, [constant(A)], [one])
    same(tangent_of(result), 6 * A * B, of="the second derivative of a a a b by a", given={"a": A, "b": B})
    same(ops.multiply(result, one), 3 * A * A * B, of="the first")
