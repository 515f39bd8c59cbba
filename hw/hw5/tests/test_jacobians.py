"""Jacobians and Hessians, whole."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.derivatives import numerical, random
from hw.hw5.tests.checks import constant
from hw.hw5.tests.test_gradients import curvature, valley
from hw.testing import hint, same
from needle.autograd import TensorOp
from needle.ops.rules import Elementwise

BOTH = pytest.mark.parametrize("make", [ndl.jacrev, ndl.jacfwd, ndl.jacobian], ids=lambda make: make.__name__)


def jacobian_of(f, x):
    """The Jacobian in NumPy, of shape (*f(x).shape, *x.shape): a row for each unit vector of the output."""
    shape = np.shape(f(x))
    rows = [numerical(f, unit.reshape(shape), x)[0] for unit in np.eye(int(np.prod(shape)))]
    return np.array(rows).reshape(*shape, *x.shape)


def turned(found, expected):
    """What is found if input and output are taken for each other, where the shapes allow it."""
    if expected.ndim == 2 and expected.shape[0] == expected.shape[1]:
        return {"it is transposed": expected.T}
    return {}


@hint("rows: vmap(pullback)(unit_vectors(y)); columns: vmap(pushforward, out_axes=-1)(unit_vectors(x)).")
@BOTH
@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 2), (3, 2), (2, 4)])
def test_of_a_vector(make, n, m):
    x, w = random(n), random(n, m, seed=1)

    def f(x):
        if isinstance(x, np.ndarray):
            return np.tanh(x @ w)
        return ndl.tanh(x.reshape((1, n)) @ constant(w)).reshape((m,))

    expected = jacobian_of(f, x)
    found = make(f)(constant(x))
    of = f"{make.__name__} of tanh(x W), from {n} numbers to {m}"
    same(found, expected, of=of, given={"x": x, "W": w}, mistakes=turned(found, expected))


@hint("The shape is (*output.shape, *argument.shape): unit_vectors stand along one axis, which has to be unfolded.")
@BOTH
@pytest.mark.parametrize(("shape", "axes"), [((2, 3), 1), ((2, 3), None), ((2, 2), (0, 1)), ((3, 1, 2), 0)])
def test_of_any_shape(make, shape, axes):
    x = random(*shape)
    f = lambda x: (x * x).sum(axes)  # noqa: E731
    expected = jacobian_of(f, x)
    found = make(f)(constant(x))
    same(found, expected, of=f"{make.__name__} of sums of squares over axes {axes}", given={"x": x})


@hint("A matrix-valued function of a matrix: four axes, the output's in front.")
@BOTH
def test_of_a_matrix(make):
    x, w = random(2, 3), random(3, 2, seed=1)
    expected = np.einsum("ik,lj->ijkl", np.eye(2), w)
    same(make(lambda x: x @ constant(w))(constant(x)), expected, of=f"{make.__name__} of x W, shape (2, 2, 2, 3)")


@hint("Structures: in the structure of the output, and in each place there in that of the argument.")
@BOTH
def test_structures(make):
    a, b = random(2), random(3, seed=1)
    f = lambda p: {"twice": p["a"] * 2, "sum": [p["b"].sum() * p["a"][0]]}  # noqa: E731
    found = make(f)({"a": constant(a), "b": constant(b)})
    unit = np.array([1.0, 0.0])
    same(found["twice"], {"a": 2 * np.eye(2), "b": np.zeros((2, 3))}, of="the derivatives of 2 a by a and b")
    expected = {"a": b.sum() * unit, "b": np.full(3, a[0])}
    same(found["sum"][0], expected, of="the derivatives of a[0] times the sum of b", given={"a": a, "b": b})


@hint("A tuple of argnums gives a tuple, in each place of the output.")
@BOTH
@pytest.mark.parametrize("argnums", [1, (0, 1), (1,)])
def test_argnums(make, argnums):
    a, b = random(2), random(2, seed=1)
    by = {0: np.diag(b), 1: np.diag(a)}
    found = make(lambda a, b: a * b, argnums)(constant(a), constant(b))
    expected = by[argnums] if isinstance(argnums, int) else [by[i] for i in argnums]
    given = {"a": a, "b": b}
    found = found if isinstance(argnums, int) else list(found)
    same(found, expected, of=f"the Jacobian of a b with argnums={argnums}", given=given)


@hint("argnums are for both modes: hand them on to jacfwd, too.")
@BOTH
@pytest.mark.parametrize("argnums", [1, (1,)])
def test_more_out_than_in(make, argnums):
    a, b = random(3), random(1, seed=1)
    found = make(lambda a, b: a * b, argnums)(constant(a), constant(b))
    expected = a.reshape(3, 1)
    of = f"{make.__name__} of a b by b, which is one number, with argnums={argnums}"
    same(
        found if argnums == 1 else list(found), expected if argnums == 1 else [expected], of=of, given={"a": a, "b": b}
    )


class Counted(Elementwise, TensorOp):
    """a^2, which counts how often it is asked for its rules."""

    def __init__(self) -> None:
        self.backward = self.forward = 0

    def compute(self, a):
        return a * a

    def gradient(self, out_grad, node):
        self.backward += 1
        return out_grad * 2 * node.inputs[0]

    def jvp(self, tangents, node):
        self.forward += 1
        return tangents[0] * 2 * node.inputs[0]


@hint("All unit vectors at once, by vmap: each rule is asked once, not once for each row or column.")
@pytest.mark.parametrize("n", [1, 5])
def test_one_pass(n):
    x = random(n)
    for make, counts in ((ndl.jacrev, [1, 0]), (ndl.jacfwd, [0, 1])):
        op = Counted()
        same(make(op)(constant(x)), np.diag(2 * x), of=f"{make.__name__} of x^2")
        of = f"how often {make.__name__} asked for the gradient, and for the jvp, of an op"
        same([op.backward, op.forward], counts, of=of)


@hint("jacobian: fewer numbers in than out, columns (forward mode); otherwise rows (reverse mode).")
@pytest.mark.parametrize(("n", "m", "mode"), [(2, 5, "forward"), (5, 2, "reverse"), (3, 3, "reverse")])
def test_the_cheaper_mode(n, m, mode):
    x, w = random(n), random(n, m, seed=1)
    op = Counted()
    found = ndl.jacobian(lambda x: (op(x).reshape((1, n)) @ constant(w)).reshape((m,)))(constant(x))
    same(found, w.T * 2 * x, of="the Jacobian of x^2 W", given={"x": x, "W": w})
    asked = [op.backward > 0, op.forward > 0]
    same(
        asked, [mode == "reverse", mode == "forward"], of=f"from {n} numbers to {m}: whether reverse, forward was used"
    )


@hint("The Jacobian of the gradient: jacfwd(grad(f, argnums), argnums).")
@pytest.mark.parametrize("n", [2, 3, 4])
def test_hessian(n):
    x = random(n)
    expected = np.stack([curvature(x, unit) for unit in np.eye(n)])
    same(ndl.hessian(valley)(constant(x)), expected, of="the Hessian of Rosenbrock's function", given={"x": x})


@hint("Of several arguments, by all pairs of them.")
def test_hessian_by_several():
    a, b = random(2), random(2, seed=1)
    found = ndl.hessian(lambda a, b: (a * a * b).sum(), (0, 1))(constant(a), constant(b))
    expected = [[np.diag(2 * b), np.diag(2 * a)], [np.diag(2 * a), np.zeros((2, 2))]]
    same(
        [list(row) for row in found], expected, of="the Hessian of the sum of a a b by a and b", given={"a": a, "b": b}
    )


@hint("x of any shape: the Hessian has shape (*x.shape, *x.shape).")
@pytest.mark.parametrize("shape", [(2, 2), (1, 3)])
def test_hessian_of_a_matrix(shape):
    x = random(*shape)
    n = x.size
    f = lambda x: (x * x).sum() * x.sum()  # noqa: E731
    flat = x.reshape(-1)
    expected = 2 * np.add.outer(flat, flat) + 2 * x.sum() * np.eye(n)
    same(
        ndl.hessian(f)(constant(x)), expected.reshape(*shape, *shape), of="the Hessian of |x|^2 sum(x)", given={"x": x}
    )
