"""Derivatives of scalars, and products with the Hessian."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.derivatives import numerical, random
from hw.hw5.tests.checks import along, constant, values
from hw.testing import hint, raises, same
from needle import nn


def valley(x):
    """Rosenbrock's function, of n numbers; on Tensors or arrays."""
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def slope(x):
    """Its gradient, in NumPy."""
    return numerical(valley, 1.0, x)[0]


def curvature(x, t):
    """The product of its Hessian with t, from second derivatives that are written out."""
    n = len(x)
    hessian = np.zeros((n, n))
    for i in range(n - 1):
        hessian[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        hessian[i + 1, i + 1] += 200
        hessian[i, i + 1] -= 400 * x[i]
        hessian[i + 1, i] -= 400 * x[i]
    return hessian @ t


@hint("value, pullback = vjp(function, *chosen); the gradient is the pullback of 1, which is _one(value, f).")
@pytest.mark.parametrize("n", [2, 3, 5])
def test_value_and_gradient(n):
    x = random(n)
    value, gradient = ndl.value_and_grad(valley)(constant(x))
    same(value, valley(x), of="the value", given={"x": x})
    same(gradient, slope(x), of="the gradient", given={"x": x}, rtol=1e-3)
    same(ndl.grad(valley)(constant(x)), slope(x), of="the gradient, by ndl.grad", given={"x": x}, rtol=1e-3)


@hint("argnums: _of_some(f, argnums, args, kwargs) sees to it. A tuple of argnums gives a tuple of gradients.")
@pytest.mark.parametrize("argnums", [0, 1, -1, (0,), (1, 0)])
def test_argnums(argnums):
    x, y = random(3), random(3, seed=1)
    f = lambda x, y: (x * x * y).sum()  # noqa: E731
    by = {0: 2 * x * y, 1: x * x, -1: x * x}
    value, gradient = ndl.value_and_grad(f, argnums)(constant(x), constant(y))
    same(value, np.sum(x * x * y), of="the value")
    if isinstance(argnums, tuple):
        same(isinstance(gradient, tuple), True, of=f"whether argnums={argnums} gives a tuple")
        same(list(gradient), [by[i] for i in argnums], of=f"the gradients with argnums={argnums}")
    else:
        same(gradient, by[argnums], of=f"the gradient with argnums={argnums}", given={"x": x, "y": y})


@hint("Keyword arguments are handed on; with has_aux there is ((value, aux), gradient).")
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_keywords_and_aux(scale):
    x = random(2)

    def f(x, scale=1.0):
        y = x * x * scale
        return y.sum(), {"y": y}

    (value, aux), gradient = ndl.value_and_grad(f, has_aux=True)(constant(x), scale=scale)
    same(value, scale * np.sum(x * x), of="the value", given={"x": x})
    same(aux, {"y": scale * x * x}, of="the second of the pair")
    same(gradient, 2 * scale * x, of="the gradient", given={"x": x})


@hint("A gradient is that of a scalar; _one raises a TypeError for anything else.")
@pytest.mark.parametrize("shape", [(2,), (1, 3)])
def test_only_scalars_have_gradients(shape):
    with raises(TypeError, of=f"the gradient of a function that gives shape {shape}"):
        ndl.value_and_grad(lambda x: x * 2)(constant(np.ones(shape)))


@hint("An argument may be a structure, or a module: the gradient has the structure of the argument.")
@pytest.mark.parametrize("kind", ["dict", "module"])
def test_structures(kind):
    x = random(2, 3)
    if kind == "dict":
        w = random(3, 1, seed=1)
        found = ndl.grad(lambda p: (constant(x) @ p["w"]).sum())({"w": constant(w)})
        same(found, {"w": x.sum(0)[:, None]}, of="the gradient of the sum of x W, by {'w': W}", given={"x": x})
    else:
        np.random.seed(0)
        layer = nn.Linear(3, 1, dtype="float64")
        found = ndl.grad(lambda m: m(constant(x)).sum())(layer)
        same(found.weight, x.sum(0)[:, None], of="the gradient of the sum of x W + b by the layer: its weight")
        same(found.bias, [[2.0]], of="and its bias")


@hint("One number moves with velocity 1: jvp(f, (x,), (1,)).")
@pytest.mark.parametrize("x", [0.5, 2.0])
def test_derivative(x):
    same(ndl.derivative(lambda x: x * x * x, x), 3 * x * x, of="the derivative of x^3", given={"x": x})
    same(ndl.derivative(lambda x: x * x * x, constant(x)), 3 * x * x, of="the same for a Tensor", given={"x": x})
    curve = lambda x: (ndl.sin(x), [ndl.cos(x) * 2])  # noqa: E731
    first, (second,) = ndl.derivative(curve, x)
    same([values(first), values(second)], [np.cos(x), -2 * np.sin(x)], of="the velocity of (sin x, [2 cos x])")
    second = ndl.derivative(lambda x: ndl.derivative(lambda x: x * x * x, x), x)
    same(second, 6 * x, of="the second derivative of x^3", given={"x": x})


@hint("x is one number: an int, a float, or a Tensor of shape ().")
@pytest.mark.parametrize(("x", "error"), [([1.0, 2.0], ValueError), ([1.0], ValueError), ("x", TypeError)])
def test_derivative_takes_numbers(x, error):
    with raises(error, of=f"the derivative at {x}"):
        ndl.derivative(lambda x: x * 2, x if isinstance(x, str) else constant(x))


@hint("The tangent of the gradient: jvp(grad(f), primals, tangents)[1].")
@pytest.mark.parametrize("n", [2, 3, 5])
def test_hvp(n):
    x, t = random(n), random(n, seed=1)
    mistakes = {
        "this is the gradient": slope(x),
        "this is the tangent of f": slope(x) @ t,
        "this is the Hessian times ones": curvature(x, np.ones(n)),
    }
    found = ndl.hvp(valley, (constant(x),), (constant(t),))
    of = "the Hessian of Rosenbrock's function times t"
    same(found, curvature(x, t), of=of, given={"x": x, "t": t}, mistakes=mistakes)


@hint("With several primals, by all of them: grad(f, (0, 1, ...)), and a tuple comes back.")
def test_hvp_of_several_primals():
    x, y, dx, dy = (random(3, seed=i) for i in range(4))
    f = lambda x, y: (x * x * y).sum()  # noqa: E731
    found = ndl.hvp(f, (constant(x), constant(y)), (constant(dx), constant(dy)))
    same(len(found), 2, of="how many products there are")
    expected = [2 * y * dx + 2 * x * dy, 2 * x * dx]
    mistakes = {"the mixed derivatives are missing": [2 * y * dx, 0 * x]}
    given = {"x": x, "y": y, "dx": dx, "dy": dy}
    same(list(found), expected, of="the Hessian of the sum of x x y times (dx, dy)", given=given, mistakes=mistakes)


@hint("Forward over reverse: one call of f. Differences, or a Hessian, would take more.")
@pytest.mark.parametrize("n", [3, 20])
def test_a_product_costs_one_call(n):
    calls = []

    def f(x):
        calls.append(1)
        return valley(x)

    x, t = random(n), random(n, seed=1)
    found = ndl.hvp(f, (constant(x),), (constant(t),))
    same(len(calls), 1, of=f"how often f of {n} numbers was called for one product with its Hessian")
    difference = along(slope, [x], [t], step=1e-4)
    same(
        found, difference, of="the product, against differences of gradients", given={"x": x, "t": t}, rtol=2e-2, atol=1
    )


def squashed_fit(network, x, y):
    """The mean squared error of a small network."""
    return ((network(x) - y) ** 2).mean()


@hint("A module is one primal, with a module as its tangent.")
def test_hvp_by_a_module():
    np.random.seed(0)
    network, direction = (
        nn.Sequential(nn.Linear(2, 3, dtype="float64"), nn.Tanh(), nn.Linear(3, 1, dtype="float64")) for _ in "ab"
    )
    x, y = random(5, 2), random(5, 1, seed=1)
    found = ndl.hvp(lambda m: squashed_fit(m, constant(x), constant(y)), (network,), (direction,))
    arrays = [p.numpy() for p in network.parameters()]
    tangents = [p.numpy() for p in direction.parameters()]

    def loss(w, b, v, c):
        return np.mean((np.tanh(x @ w + b) @ v + c - y) ** 2)

    for i, p in enumerate(found.parameters()):
        by = lambda *arrays, i=i: numerical(loss, 1.0, *arrays, step=1e-5)[i]  # noqa: E731
        expected = along(by, arrays, tangents, step=1e-3)
        same(p, expected, of=f"the part of parameter {i} of the product with the loss's Hessian", rtol=1e-2, atol=1e-3)
