"""Jacobians and Hessians: scalars, modules, nothing at all, graphs, dtypes, other arguments."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.derivatives import random
from hw.hw5.tests.checks import constant
from hw.hw5.tests.test_jacobians import BOTH, Counted, jacobian_of
from hw.testing import hint, same
from needle import nn
from needle.autograd import Tensor


@hint("A scalar has one unit vector, of shape (), and adds no axis.")
@BOTH
def test_scalars(make):
    x = random(3)
    same(make(lambda x: (x * x).sum())(constant(x)), 2 * x, of="the Jacobian of |x|^2: its gradient", given={"x": x})
    w = random(3, seed=1)
    same(make(lambda s: s * constant(w))(constant(2.0)), w, of="the Jacobian of s w by the number s")
    same(make(lambda s: s * s)(constant(2.0)), 4.0, of="the Jacobian of s s")


@hint("No elements: an axis of extent 0 stays where it is.")
@BOTH
def test_nothing(make):
    found = make(lambda x: x * 2)(constant(np.ones((0, 3))))
    same(found.shape == (0, 3, 0, 3), True, of="whether the Jacobian of 2 x, of shape (0, 3), has shape (0, 3, 0, 3)")


@hint("A module stands for a dict of its parameters, by name: modules_as_dicts=True.")
@BOTH
def test_modules(make):
    np.random.seed(0)
    layer = nn.Linear(3, 2, dtype="float64")
    x = random(1, 3)
    found = make(lambda m: m(constant(x)).reshape((2,)))(layer)
    expected = {"weight": np.einsum("i,jk->jik", x[0], np.eye(2)), "bias": np.eye(2).reshape(2, 1, 2)}
    same(found, expected, of="the Jacobian of x W + b by a layer", given={"x": x})
    found = make(lambda m: m)(layer)
    same(found["weight"]["weight"], np.eye(6).reshape(3, 2, 3, 2), of="the Jacobian of a layer by itself: its weight")
    same(found["weight"]["bias"], np.zeros((3, 2, 1, 2)), of="of its weight by its bias")


@hint("What an output does not depend on gets zeros.")
@BOTH
def test_zeros(make):
    a, b = random(2), random(3, seed=1)
    found = make(lambda a, b: (a * 2, constant([1.0])), (0, 1))(constant(a), constant(b))
    same(list(found[0]), [2 * np.eye(2), np.zeros((2, 3))], of="the derivatives of 2 a by a and b")
    same(list(found[1]), [np.zeros((1, 2)), np.zeros((1, 3))], of="those of a constant")


@hint("In the dtypes of arguments and outputs.")
@BOTH
def test_dtype(make):
    x = random(2, dtype="float32")
    same(make(lambda x: x * x)(constant(x, "float32")), np.diag(2 * x), of="the Jacobian of x x", dtype="float32")
    found = ndl.hessian(lambda x: (x * x * x).sum())(constant(x, "float32"))
    same(found, np.diag(6 * x), of="the Hessian of the sum of x^3", dtype="float32", rtol=1e-3)


@hint("A Jacobian is part of a graph if somebody outside requires a gradient.")
@BOTH
@pytest.mark.parametrize("source", ["w", "x", "nobody"])
def test_graphs(make, source):
    w, x = (Tensor([2.0, 3.0], requires_grad=source == name) for name in "wx")
    found = make(lambda x: w * x * x)(x)
    same(found, np.diag([8.0, 18.0]), of="the Jacobian of w x x")
    same(found.requires_grad, source != "nobody", of=f"whether it requires a gradient, where {source} does")
    if source != "nobody":
        found.sum().backward()
        same({"w": w, "x": x}[source].grad, [4.0, 6.0], of=f"the gradient of its sum by {source}")


@hint("Jacobians of Jacobians: three axes, and so on.")
@BOTH
def test_nested(make):
    x = random(2)
    found = make(make(lambda x: x * x * x))(constant(x))
    expected = np.zeros((2, 2, 2))
    expected[[0, 1], [0, 1], [0, 1]] = 6 * x
    same(found, expected, of="the derivative of the Jacobian of x^3", given={"x": x})


@hint("jacobian counts the elements of all chosen arguments and of all outputs, not those of the first one.")
@pytest.mark.parametrize("argnums", [0, (0, 1)])
def test_the_mode_by_all_elements(argnums):
    op = Counted()
    a, b = random(2), random(3, seed=1)
    found = ndl.jacobian(lambda a, b: (op(a), a[:1] * b.sum()), argnums)(constant(a), constant(b))
    first = found[0] if argnums == 0 else found[0][0]
    same(first, np.diag(2 * a), of="the Jacobian of a^2")
    asked = [op.backward > 0, op.forward > 0]
    of = "2 numbers to 3: whether" if argnums == 0 else "5 numbers to 3: whether"
    same(asked, [argnums != 0, argnums == 0], of=f"{of} reverse, forward mode was used")


@hint("Keyword arguments are handed on; arguments that are not chosen may be anything.")
@BOTH
def test_other_arguments(make):
    x = random(2)
    f = lambda kind, x, scale=1.0: x * scale if kind == "plain" else x  # noqa: E731
    same(make(f, 1)("plain", constant(x), scale=3.0), 3 * np.eye(2), of="the Jacobian of 3 x by the second argument")


@hint("A function of a random shape, against central differences.")
@BOTH
@pytest.mark.parametrize("shape", [(2, 1, 2), (1, 4)])
def test_against_differences(make, shape):
    x = random(*shape, low=0.5)

    def f(x):
        return np.log(x).sum(0) * x.mean() if isinstance(x, np.ndarray) else ndl.log(x).sum(0) * x.mean()

    same(make(f)(constant(x)), jacobian_of(f, x), of="the Jacobian of sum_0(log x) mean(x)", given={"x": x})


@hint("hessian: argnums say by which arguments; structures are put into structures.")
def test_hessians():
    a, b = random(2), random(2, seed=1)
    f = lambda a, b: (a * b * b).sum()  # noqa: E731
    same(ndl.hessian(f, 1)(constant(a), constant(b)), np.diag(2 * a), of="the Hessian of a b b by b")
    found = ndl.hessian(lambda p: (p["a"] * p["b"] * p["b"]).sum())({"a": constant(a), "b": constant(b)})
    same(found["a"], {"a": np.zeros((2, 2)), "b": np.diag(2 * b)}, of="the row of a, for a dict")
    same(found["b"], {"a": np.diag(2 * b), "b": np.diag(2 * a)}, of="the row of b")
    symmetric = ndl.hessian(lambda x: ndl.logsumexp(x))(constant(a)).numpy()
    s = np.exp(a) / np.exp(a).sum()
    same(symmetric, np.diag(s) - np.outer(s, s), of="the Hessian of logsumexp", given={"x": a})


@hint("@wraps(f, updated=()) above the inner function, as in jacrev.")
@BOTH
def test_names(make):
    def squares(x):
        return x * x

    same(make(squares).__name__, "squares", of=f"the name of {make.__name__}(squares)")
    same(make(squares)(constant([3.0])), [[6.0]], of="the Jacobian of x x at 3")
