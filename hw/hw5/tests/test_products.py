"""Products with the Jacobian: vjp, jvp, linearize."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.derivatives import numerical, random
from hw.hw5.tests.checks import along, constant, values
from hw.testing import hint, raises, same
from needle.autograd import Tensor


def matrix_of(n, m):
    """A matrix of a linear map from n numbers to m."""
    return random(n, m, seed=9)


def bent(w, sums=False):
    """The function tanh(x W), on Tensors or arrays."""

    def f(x):
        product = x @ (constant(w) if isinstance(x, Tensor) else w)
        return ndl.tanh(product) if isinstance(x, Tensor) else np.tanh(product)

    return f


SHAPES = [((1, 1), (1, 1)), ((2, 3), (3, 2)), ((1, 4), (4, 2))]


@hint("gradients(outputs, us, inner), for the new nodes that the function got: traced.outputs and traced.inner.")
@pytest.mark.parametrize(("shape", "of_matrix"), SHAPES)
def test_vjp(shape, of_matrix):
    x, w = random(*shape), matrix_of(*of_matrix)
    f = bent(w)
    output, pullback = ndl.vjp(f, constant(x))
    same(output, f(x), of="f(x) = tanh(x W)", given={"x": x, "W": w})
    u = random(*f(x).shape, seed=1)
    found = pullback(constant(u))
    same(len(found), 1, of="how many adjoints the pullback gives, one for each primal")
    same(found[0], numerical(f, u, x)[0], of="the adjoint of x", given={"x": x, "W": w, "u": u})


@hint("A tuple with one entry for each primal; zeros_for puts zeros where the output does not depend on one.")
@pytest.mark.parametrize("which", ["a b", "a a", "b"])
def test_vjp_of_two_primals(which):
    a, b, u = random(3), random(3, seed=1), random(3, seed=2)
    f, by_a, by_b = {
        "a b": (lambda a, b: a * b, u * b, u * a),
        "a a": (lambda a, b: a * a, 2 * u * a, 0 * b),
        "b": (lambda a, b: b * 1, 0 * a, u),
    }[which]
    found = ndl.vjp(f, constant(a), constant(b))[1](constant(u))
    same(list(found), [by_a, by_b], of=f"the adjoints of a and b, for {which}", given={"a": a, "b": b, "u": u})


@hint("The pullback is a function that may be called several times; the function itself is computed once.")
@pytest.mark.parametrize("times", [1, 3])
def test_pullbacks_are_called_again(times):
    calls = []

    def f(x):
        calls.append(1)
        return x * x

    x = random(2)
    _, pullback = ndl.vjp(f, constant(x))
    for i in range(times):
        u = random(2, seed=i)
        same(pullback(constant(u))[0], 2 * x * u, of=f"the adjoint of x in call {i + 1}", given={"x": x, "u": u})
    same(len(calls), 1, of="how often f was called")


@hint("traced.rebuild makes the structure of the primals again; the adjoint has the structure of the output.")
def test_vjp_of_structures():
    a, b, u, v = (random(2, seed=i) for i in range(4))

    def f(pair, c):
        return {"product": pair["a"] * pair["b"], "sums": [pair["a"] + c]}

    output, pullback = ndl.vjp(f, {"a": constant(a), "b": constant(b)}, constant(b))
    same({k: values(x) for k, x in output.items() if k == "product"}, {"product": a * b}, of="the output")
    by_pair, by_c = pullback({"product": constant(u), "sums": [constant(v)]})
    same(by_pair, {"a": u * b + v, "b": u * a}, of="the adjoint of a dict", given={"a": a, "b": b, "u": u, "v": v})
    same(by_c, v, of="the adjoint of a tensor beside it")


@hint("has_aux: the function gives a pair, of which the second is handed on: (traced.result, pullback, traced.aux).")
@pytest.mark.parametrize("mode", ["vjp", "jvp"])
def test_aux(mode):
    x, t = random(2), random(2, seed=1)
    f = lambda x: (x * x, {"three": x * 3})  # noqa: E731
    if mode == "vjp":
        output, pullback, aux = ndl.vjp(f, constant(x), has_aux=True)
        moved = pullback(constant(t))[0]
    else:
        output, moved, aux = ndl.jvp(f, (constant(x),), (constant(t),), has_aux=True)
    same([values(output), values(moved)], [x * x, 2 * x * t], of=f"what {mode} gives of x x", given={"x": x, "t": t})
    same(aux, {"three": 3 * x}, of="the second of the pair")


@hint("matching(adjoint, traced.result, ...) checks structure and shapes.")
@pytest.mark.parametrize("mode", ["vjp", "jvp"])
def test_misfits(mode):
    x, wrong = constant(np.ones((2, 3))), constant(np.ones((3, 2)))
    with raises(ValueError, of=f"{mode} with {'an adjoint' if mode == 'vjp' else 'a tangent'} of another shape"):
        if mode == "vjp":
            ndl.vjp(lambda x: x * 2, x)[1](wrong)
        else:
            ndl.jvp(lambda x: x * 2, (x,), (wrong,))
    if mode == "jvp":
        with raises(TypeError, of="jvp with a tensor where a tuple of tensors has to be"):
            ndl.jvp(lambda x: x * 2, x, x)


@hint("traced.graph_for(us) decides whether the adjoints are part of a graph: somebody outside may differentiate them.")
@pytest.mark.parametrize("outside", ["nothing", "a parameter", "the primal", "the adjoint"])
def test_graphs_of_pullbacks(outside):
    w = Tensor(np.array([2.0, 3.0]), requires_grad=outside == "a parameter")
    x = Tensor(np.array([1.0, -1.0]), requires_grad=outside == "the primal")
    u = Tensor(np.array([1.0, 5.0]), requires_grad=outside == "the adjoint")
    _, pullback = ndl.vjp(lambda x: w * x * x, x)
    (found,) = pullback(u)
    same(found, 2 * w.numpy() * x.numpy() * u.numpy(), of="the adjoint of x in w x x")
    same(found.requires_grad, outside != "nothing", of=f"whether it requires a gradient, where {outside} does")
    if outside != "nothing":
        found.sum().backward()
        source = {"a parameter": w, "the primal": x, "the adjoint": u}[outside]
        expected = {"a parameter": [2.0, -10.0], "the primal": [4.0, 30.0], "the adjoint": [4.0, -6.0]}[outside]
        same(source.grad, expected, of=f"the gradient of its sum by {outside}")


@hint("push_forward(function, xs, ts), where function takes a flat list of Tensors; then the tangents of the outputs.")
@pytest.mark.parametrize(("shape", "of_matrix"), SHAPES)
def test_jvp(shape, of_matrix):
    x, w = random(*shape), matrix_of(*of_matrix)
    f = bent(w)
    t = random(*shape, seed=1)
    output, moved = ndl.jvp(f, (constant(x),), (constant(t),))
    same(output, f(x), of="f(x) = tanh(x W)", given={"x": x, "W": w})
    same(moved, along(f, [x], [t]), of="its tangent", given={"x": x, "W": w, "t": t})


@hint("All arguments move at once, each along its tangent; what does not move has zeros: zeros_for.")
@pytest.mark.parametrize("which", ["a b", "b", "2"])
def test_jvp_of_two_primals(which):
    a, b, da, db = (random(3, seed=i) for i in range(4))
    f, expected = {
        "a b": (lambda a, b: a * b, da * b + a * db),
        "b": (lambda a, b: b * 1, db),
        "2": (lambda a, b: constant(np.full(3, 2.0)), np.zeros(3)),
    }[which]
    found = ndl.jvp(f, (constant(a), constant(b)), (constant(da), constant(db)))[1]
    same(found, expected, of=f"the tangent of {which}", given={"a": a, "b": b, "da": da, "db": db})


@hint("tensors_in(output, ...) lists the outputs and gives the function that puts others in their places.")
def test_jvp_of_structures():
    a, b, da, db = (random(2, seed=i) for i in range(4))

    def f(pair):
        return {"product": pair["a"] * pair["b"], "sums": [pair["a"] + 1.0]}

    primals, tangents = ({"a": constant(x), "b": constant(y)} for x, y in ((a, b), (da, db)))
    output, moved = ndl.jvp(f, (primals,), (tangents,))
    same([values(output["product"]), values(output["sums"][0])], [a * b, a + 1], of="the output")
    expected = [da * b + a * db, da]
    same([values(moved["product"]), values(moved["sums"][0])], expected, of="the tangent, in the same structure")


@hint("u . (J t) is (J^T u) . t: the two modes multiply by one matrix, from two sides.")
@pytest.mark.parametrize("n", [1, 4])
def test_the_two_modes_agree(n):
    x, t, w = random(2, n), random(2, n, seed=1), matrix_of(n, 3)
    u = random(2, 3, seed=2)
    moved = ndl.jvp(bent(w), (constant(x),), (constant(t),))[1].numpy()
    (adjoint,) = ndl.vjp(bent(w), constant(x))[1](constant(u))
    expected = float(np.sum(u * along(bent(w), [x], [t])))
    same([np.sum(u * moved), np.sum(adjoint.numpy() * t)], [expected, expected], of="u . (J t) and (J^T u) . t")


@hint("The pullback of u is linear in u; its derivative by u, along t, is J t: task transposed_twice, for functions.")
@pytest.mark.parametrize(("shape", "of_matrix"), SHAPES)
def test_linearize(shape, of_matrix):
    calls = []
    x, w = random(*shape), matrix_of(*of_matrix)

    def f(x):
        calls.append(1)
        return bent(w)(x)

    output, pushforward = ndl.linearize(f, constant(x))
    same(output, bent(w)(x), of="f(x) = tanh(x W)", given={"x": x, "W": w})
    for i in (1, 2):
        t = random(*shape, seed=i)
        same(pushforward(constant(t)), along(bent(w), [x], [t]), of="its tangent", given={"x": x, "W": w, "t": t})
    same(len(calls), 1, of="how often f was called, for two tangents")


@hint("One tangent for each primal; outputs in their structure, with zeros for those that do not move.")
def test_linearize_several():
    a, b, da, db = (random(3, seed=i) for i in range(4))
    _, pushforward = ndl.linearize(lambda a, b: (a * b, [a * 2], constant([1.0])), constant(a), constant(b))
    product, (twice,), still = pushforward(constant(da), constant(db))
    given = {"a": a, "b": b, "da": da, "db": db}
    same([values(product), values(twice)], [da * b + a * db, 2 * da], of="the tangents of a b and 2 a", given=given)
    same(still, [0.0], of="the tangent of a constant")
