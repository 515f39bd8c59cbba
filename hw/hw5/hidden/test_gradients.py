"""Derivatives of scalars and products with Hessians: symmetry, kinks, graphs, dtypes, nesting."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.derivatives import random
from hw.hw5.tests.checks import constant, values
from hw.hw5.tests.test_gradients import curvature, slope, valley
from hw.testing import hint, raises, same
from needle.autograd import Tensor


@hint("The Hessian is symmetric: s . (H t) = t . (H s).")
@pytest.mark.parametrize("n", [2, 6])
def test_symmetry(n):
    x, s, t = (random(n, seed=i) for i in range(3))
    left, right = (values(ndl.hvp(valley, (constant(x),), (constant(v),))) for v in (t, s))
    expected = float(s @ curvature(x, t))
    same([s @ left, t @ right], [expected, expected], of="s . (H t) and t . (H s)")
    same(ndl.hvp(valley, (constant(x),), (constant(2 * t),)), 2 * curvature(x, t), of="H (2 t)")


@hint("Scalars have many shapes: (), (1,), (1, 1).")
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_scalars_of_any_shape(shape):
    x = random(3)
    value, gradient = ndl.value_and_grad(lambda x: (x * x).sum().reshape(shape))(constant(x))
    same(value, np.sum(x * x).reshape(shape), of=f"the value, of shape {shape}")
    same(gradient, 2 * x, of="the gradient", given={"x": x})


@hint("The gradient is in the dtype of the argument.")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(dtype):
    x, t = random(3, dtype=dtype), random(3, seed=1, dtype=dtype)
    value, gradient = ndl.value_and_grad(lambda x: (x * x * x).sum())(constant(x, dtype))
    same(value, np.sum(x**3), of="the value", dtype=dtype, rtol=1e-3)
    same(gradient, 3 * x**2, of="the gradient", dtype=dtype, rtol=1e-3)
    found = ndl.hvp(lambda x: (x * x * x).sum(), (constant(x, dtype),), (constant(t, dtype),))
    same(found, 6 * x * t, of="the product with the Hessian", dtype=dtype, rtol=1e-3)
    same(ndl.derivative(lambda x: x * x, constant(2.0, dtype)), 4.0, of="the derivative of x x at 2", dtype=dtype)


@hint("A gradient may be part of a loss: it is connected to parameters, and to the argument if that requires one.")
@pytest.mark.parametrize("source", ["w", "x"])
def test_gradients_of_gradients(source):
    w, x = (Tensor([2.0, 3.0], requires_grad=source == name) for name in "wx")
    gradient = ndl.grad(lambda x: (w * x * x).sum())(x)
    same(gradient, [8.0, 18.0], of="2 w x")
    gradient.sum().backward()
    same({"w": w, "x": x}[source].grad, [4.0, 6.0], of=f"the gradient of the sum of 2 w x by {source}")


@hint("A Hessian-vector product may be differentiated, too.")
def test_third_derivatives():
    x, t = Tensor([2.0, 3.0]), constant([1.0, -1.0])
    product = ndl.hvp(lambda x: (x * x * x * x).sum(), (x,), (t,))
    same(product, [48.0, -108.0], of="12 x^2 t")
    product.sum().backward()
    same(x.grad, [48.0, -72.0], of="24 x t")
    found = ndl.jvp(lambda x: ndl.hvp(lambda x: (x * x * x * x).sum(), (x,), (t,)), (constant([2.0, 3.0]),), (t,))[1]
    same(found, [48.0, 72.0], of="24 x t t, forward over forward over reverse")


@hint("f may be linear: its Hessian is zero, of the shape of the argument.")
def test_linear_functions():
    t = constant([1.0, 2.0])
    same(ndl.hvp(lambda x: (x * 3).sum(), (t,), (t,)), [0.0, 0.0], of="the product with the Hessian of a linear f")
    same(ndl.derivative(lambda x: constant([5.0]), 1.0), [0.0], of="the derivative of a constant")


@hint("Arguments that are not chosen may be anything, and are handed on as they are.")
def test_other_arguments():
    x = random(3)

    def f(kind, x, power):
        return (x**power).sum() if kind == "sum" else x.sum()

    value, gradient = ndl.value_and_grad(f, 1)("sum", constant(x), 2)
    same(value, np.sum(x**2), of="the value")
    same(gradient, 2 * x, of="the gradient by the second argument")
    with raises(ValueError, of="argnums=3 for three arguments"):
        ndl.value_and_grad(f, 3)("sum", constant(x), 2)


@hint("derivative takes Python's numbers and NumPy's.")
@pytest.mark.parametrize("x", [3.0, np.float64(3.0), np.float32(3.0)])
def test_numbers(x):
    same(ndl.derivative(lambda x: x * x, x), 6.0, of=f"the derivative of x x at {x!r}")
    same(ndl.grad(lambda x: x * x)(3.0), 6.0, of="the gradient at 3.0")


@hint("Gauss and Newton: the gradient of a Taylor polynomial of second order, along a line.")
def test_taylor():
    x, t = random(4), random(4, seed=1)
    line = lambda s: valley(constant(x) + s * constant(t))  # noqa: E731
    first = ndl.derivative(line, 0.0)
    second = ndl.derivative(lambda s: ndl.derivative(line, s), 0.0)
    same(first, slope(x) @ t, of="the first derivative along t", rtol=1e-3)
    same(second, t @ curvature(x, t), of="the second derivative along t", rtol=1e-3)


@hint("hvp: of a tuple of one primal comes what stands for that one, not a tuple.")
def test_structures():
    x, t = random(2), random(2, seed=1)
    found = ndl.hvp(lambda p: (p["x"] ** 3).sum(), ({"x": constant(x)},), ({"x": constant(t)},))
    same(found, {"x": 6 * x * t}, of="the product, for one primal that is a dict")
    with raises(TypeError, of="hvp with primals that are no tuple"):
        ndl.hvp(lambda x: (x * x).sum(), constant(x), constant(t))


@hint("Nobody differentiates a derivative at a number or a constant: it is plain data, without a graph.")
@pytest.mark.parametrize("x", [2.0, constant(2.0)], ids=["a number", "a constant"])
def test_plain_data(x):
    found = ndl.derivative(lambda x: x * x * x, x)
    same(found, 12.0, of="the derivative of x^3 at 2")
    same([found.requires_grad, found.op is None], [False, True], of="whether it requires a gradient, is a leaf")


@hint("@wraps(f, updated=()) gives a function the name of another.")
def test_names():
    same(ndl.value_and_grad(valley).__name__, "valley", of="the name of value_and_grad(valley)")
    value, gradient = ndl.value_and_grad(valley)(constant([1.0, 1.0]))
    same([values(value), values(gradient)], [0.0, [0.0, 0.0]], of="its value and gradient at the minimum")
