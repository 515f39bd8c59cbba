"""Products with the Jacobian: dtypes, modules, nesting, no_grad, what is computed and what is kept."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.derivatives import numerical, random
from hw.hw5.tests.checks import Alive, along, constant, values
from hw.testing import hint, raises, same
from needle import nn
from needle.autograd import Tensor


@hint("What the function knows of its argument in another way is constant: it gets new nodes.")
@pytest.mark.parametrize("mode", ["vjp", "jvp", "linearize"])
def test_what_is_captured_does_not_move(mode):
    x = constant([2.0, 3.0])
    f = lambda v: v * x  # noqa: E731
    one = constant([1.0, 1.0])
    if mode == "vjp":
        (found,) = ndl.vjp(f, x)[1](one)
    elif mode == "jvp":
        found = ndl.jvp(f, (x,), (one,))[1]
    else:
        found = ndl.linearize(f, x)[1](one)
    same(found, [2.0, 3.0], of=f"what {mode} gives of v x, at v = x", mistakes={"x moves, too": [4.0, 6.0]})


@hint("Adjoints and tangents come in the dtype of what they belong to: matching and gradients see to it.")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(dtype):
    x, u = random(2, 3, dtype=dtype), random(2, 3, seed=1)
    (found,) = ndl.vjp(lambda x: ndl.exp(x), constant(x, dtype))[1](constant(u))
    same(found, np.exp(x) * u, of=f"the adjoint of x, {dtype}, for one in float64", dtype=dtype)
    found = ndl.jvp(lambda x: ndl.exp(x), (constant(x, dtype),), (constant(u),))[1]
    same(found, np.exp(x) * u, of=f"the tangent of exp(x), {dtype}, for one in float64", dtype=dtype)
    found = ndl.linearize(lambda x: ndl.exp(x), constant(x, dtype))[1](constant(u))
    same(found, np.exp(x) * u, of=f"the same by linearize, {dtype}", dtype=dtype)


@hint("Numbers and arrays are tensors as well: tensors_in takes them.")
@pytest.mark.parametrize("mode", ["vjp", "jvp", "linearize"])
def test_numbers(mode):
    f = lambda x: x * x * x  # noqa: E731
    if mode == "vjp":
        (found,) = ndl.vjp(f, 2.0)[1](1.0)
    elif mode == "jvp":
        found = ndl.jvp(f, (2.0,), (1.0,))[1]
    else:
        found = ndl.linearize(f, 2.0)[1](1.0)
    same(found, 12.0, of=f"the derivative of x^3 at 2, by {mode}")


@hint("A module stands for its parameters, as a primal, as a tangent, and as an adjoint.")
def test_modules():
    np.random.seed(0)
    layer, other = nn.Linear(3, 2, dtype="float64"), nn.Linear(3, 2, dtype="float64")
    w, dw, db = layer.weight.numpy(), other.weight.numpy(), other.bias.numpy()
    x, u = random(4, 3), random(4, 2, seed=1)
    (by_layer,) = ndl.vjp(lambda m: m(constant(x)), layer)[1](constant(u))
    same(by_layer.weight, x.T @ u, of="the adjoint of the weight")
    same(by_layer.bias, u.sum(0, keepdims=True), of="the adjoint of the bias")
    moved = ndl.jvp(lambda m: m(constant(x)), (layer,), (other,))[1]
    same(moved, x @ dw + db, of="the tangent of x W + b, along dW and db", given={"x": x})
    same(layer.weight, w, of="the weight, afterwards")


@hint("Derivatives of derivatives, in all orders: vjp of jvp, jvp of vjp, and each of itself.")
@pytest.mark.parametrize("outer", ["vjp", "jvp", "linearize"])
@pytest.mark.parametrize("inner", ["vjp", "jvp", "linearize"])
def test_nested(outer, inner):
    t, u = np.array([1.0, 2.0, -1.0]), np.array([0.5, 1.0, 3.0])
    x = random(3)

    def derivative(f, mode, t):
        def of(v):
            if mode == "vjp":
                return ndl.vjp(f, v)[1](constant(t))[0]
            return ndl.jvp(f, (v,), (constant(t),))[1] if mode == "jvp" else ndl.linearize(f, v)[1](constant(t))

        return of

    f = lambda v: v * v * v  # noqa: E731
    found = derivative(derivative(f, inner, t), outer, u)(constant(x))
    same(found, 6 * x * t * u, of=f"{outer} over {inner} of x^3", given={"x": x, "t": t, "u": u})


@hint("Nothing is part of a graph within no_grad; derivatives that are asked for there are found all the same.")
@pytest.mark.parametrize("mode", ["vjp", "jvp", "linearize"])
def test_no_grad(mode):
    x, w = Tensor([2.0, 3.0]), Tensor([5.0, 7.0])
    f = lambda v: v * v * w  # noqa: E731
    one = constant([1.0, 1.0])
    with ndl.no_grad():
        if mode == "vjp":
            (found,) = ndl.vjp(f, x)[1](one)
        elif mode == "jvp":
            found = ndl.jvp(f, (x,), (one,))[1]
        else:
            found = ndl.linearize(f, x)[1](one)
    same(found, [20.0, 42.0], of=f"the derivative of x x w within no_grad, by {mode}")
    same(found.requires_grad, False, of="whether it requires a gradient")


@hint("The output is plain data if nothing outside requires a gradient: traced.result, not traced.outputs.")
@pytest.mark.parametrize("mode", ["vjp", "linearize"])
@pytest.mark.parametrize("requires", [True, False])
def test_what_the_caller_gets(mode, requires):
    x = Tensor([2.0, 3.0], requires_grad=requires)
    output = (ndl.vjp if mode == "vjp" else ndl.linearize)(lambda v: v * v, x)[0]
    same(output, [4.0, 9.0], of="the output")
    same(output.requires_grad, requires, of="whether it requires a gradient")
    if requires:
        output.sum().backward()
        same(x.grad, [4.0, 6.0], of="the gradient of its sum by x")


@hint("linearize: what its tangents are made of must be connected to what is outside, too.")
@pytest.mark.parametrize("source", ["x", "w", "t"])
def test_gradients_of_what_linearize_gives(source):
    tensors = {name: Tensor([2.0, 3.0], requires_grad=name == source) for name in "xwt"}
    _, pushforward = ndl.linearize(lambda v: v * v * tensors["w"], tensors["x"])
    found = pushforward(tensors["t"])  # 2 x w t
    same(found, [16.0, 54.0], of="2 x w t")
    found.sum().backward()
    same(tensors[source].grad, [8.0, 18.0], of=f"the gradient of 2 x w t by {source}")


@hint("A tangent or an adjoint for each primal or output, neither more nor less; the function takes tensors.")
def test_what_is_refused():
    x = constant([1.0])
    with raises(ValueError, of="two adjoints for one output"):
        ndl.vjp(lambda x: x * 2, x)[1]([x, x])
    with raises(ValueError, of="one tangent for two primals"):
        ndl.jvp(lambda a, b: a * b, (x, x), (x,))
    with raises(ValueError, of="linearize with one tangent for two primals"):
        ndl.linearize(lambda a, b: a * b, x, x)[1](x)
    with raises(TypeError, of="vjp with has_aux, of a function that gives no pair"):
        ndl.vjp(lambda x: x * 2, x, has_aux=True)
    with raises(TypeError, of="jvp with has_aux, of a function that gives no pair"):
        ndl.jvp(lambda x: x * 2, (x,), (x,), has_aux=True)
    with raises(TypeError, of="jvp of a function that gives a string"):
        ndl.jvp(lambda x: "x", (x,), (x,))


@hint("What the pullback holds goes when the pullback goes.")
@pytest.mark.parametrize("mode", ["vjp", "jvp"])
def test_what_is_kept(mode):
    alive = Alive()

    def f(v):
        for _ in range(10):
            v = alive(v * 1.5)
        return v

    x = constant([1.0])
    if mode == "vjp":
        output, pullback = ndl.vjp(f, x)
        same(pullback(x)[0], [1.5**10], of="the adjoint of x")
        del pullback, output
        same(alive.count(), 0, of="how many nodes of the function are alive without the pullback")
    else:
        output, moved = ndl.jvp(f, (x,), (x,))
        same(moved, [1.5**10], of="the tangent")
        del output, moved
        same(alive.count(), 0, of="how many nodes of the function are alive")


@hint("Several outputs, of several shapes; the walk back begins at all of them.")
def test_several_outputs():
    x, u, v = random(2, 3), random(3, 2, seed=1), random(2, seed=2)
    t = random(2, 3, seed=3)

    def f(x):
        return (ndl.transpose(x) * 2, [(x * x).sum((1,))])

    (found,) = ndl.vjp(f, constant(x))[1]((constant(u), [constant(v)]))
    expected = numerical(lambda x: x.T * 2, u, x)[0] + numerical(lambda x: (x * x).sum(1), v, x)[0]
    same(found, expected, of="the adjoint of x, for two outputs", given={"x": x, "u": u, "v": v})
    first, (second,) = ndl.jvp(f, (constant(x),), (constant(t),))[1]
    same(first, 2 * t.T, of="the tangent of the first output")
    same(values(second), along(lambda x: (x * x).sum(1), [x], [t]), of="the tangent of the second")


@hint("Tangents of jvp may require a gradient, and so may its primals.")
@pytest.mark.parametrize("source", ["x", "t"])
def test_graphs_of_tangents(source):
    x, t = (Tensor([2.0, 3.0], requires_grad=source == name) for name in "xt")
    moved = ndl.jvp(lambda v: v * v * v, (x,), (t,))[1]
    moved.sum().backward()
    expected = {"x": [24.0, 54.0], "t": [12.0, 27.0]}[source]
    same({"x": x, "t": t}[source].grad, expected, of=f"the gradient of 3 x^2 t by {source}")
