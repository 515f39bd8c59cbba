"""Derivatives of any order, in either direction and any mixture: closed forms, difference quotients, no confusion."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn
from needle.func import derivative, grad, hessian, hvp, jacfwd, jacobian, jacrev
from tests.func.functions import X, Y, constant, f, jacobian_of_f

#: A function, and its fifth derivative in closed form.
FIFTH: dict[str, tuple[Callable[[Any], Any], Callable[[float], float]]] = {
    "exp": (ndl.exp, np.exp),
    "sin": (ndl.sin, np.cos),
    "tanh": (ndl.tanh, lambda x: fifth_of_tanh(np.tanh(x))),
    "x^7": (lambda x: x**7, lambda x: 7 * 6 * 5 * 4 * 3 * x**2),
    "1/x": (lambda x: 1 / x, lambda x: -120 / x**6),
}


def fifth_of_tanh(t: float) -> float:
    """The fifth derivative of tanh as a polynomial in t = tanh: each derivative of p(t) is p'(t) (1 - t^2)."""
    p = np.polynomial.Polynomial([0, 1])
    for _ in range(5):
        p = p.deriv() * np.polynomial.Polynomial([1, 0, -1])
    return p(t)


MIXTURES = {
    "reverse-in-reverse": [grad] * 5,
    "forward-in-forward": [lambda g: lambda x: derivative(g, x)] * 5,
    "forward-over-reverse": [grad, grad, *[lambda g: lambda x: derivative(g, x)] * 3],
    "reverse-over-forward": [*[lambda g: lambda x: derivative(g, x)] * 2, grad, grad, grad],
    "alternating": [grad, lambda g: lambda x: derivative(g, x), grad, lambda g: lambda x: derivative(g, x), grad],
}


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("name", FIFTH)
@pytest.mark.parametrize("x", [0.7, -1.3])
def test_the_fifth_derivative_agrees_with_its_closed_form(name, mixture, x, mode):
    function, closed_form = FIFTH[name]
    for way in MIXTURES[mixture]:
        function = way(function)
    np.testing.assert_allclose(function(constant(x)).item(), closed_form(x), rtol=1e-8, atol=1e-8)


def test_the_fifth_derivative_by_nested_backwards_and_by_nested_tapes():
    x = ndl.Tensor(0.7, dtype="float64")
    y = ndl.sin(x)
    for _ in range(5):
        y.backward()
        y = x.grad
    np.testing.assert_allclose(y.item(), np.cos(0.7), rtol=1e-8)

    def by_tape(order: int) -> Any:
        if order == 0:
            return ndl.sin(x)
        with ndl.GradientTape() as tape:
            y = by_tape(order - 1)
        return tape.gradient(y, x)

    with ndl.GradientTape():
        np.testing.assert_allclose(by_tape(5).item(), np.cos(0.7), rtol=1e-8)


def rosenbrock(x: Any) -> Any:
    """sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2."""
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def central_differences(function: Callable[[Any], Any], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The Jacobian of a function of one tensor, column by column along a last axis for each of its axes."""
    columns = []
    for index in np.ndindex(x.shape):
        d = np.zeros_like(x)
        d[index] = step
        columns.append((function(constant(x + d)).numpy() - function(constant(x - d)).numpy()) / (2 * step))
    return np.stack(columns, axis=-1).reshape(*columns[0].shape, *x.shape)


WAYS_TO_THE_HESSIAN = {
    "hessian": hessian,
    **{
        f"{outer.__name__} of {inner.__name__}": (lambda f, outer=outer, inner=inner: outer(inner(f)))
        for outer, inner in itertools.product([jacfwd, jacrev], [grad, jacfwd, jacrev])
    },
}


@pytest.mark.parametrize("way", WAYS_TO_THE_HESSIAN)
def test_the_hessian_of_rosenbrocks_function_in_10_dimensions(way, mode):
    x = np.random.default_rng(0).normal(size=10)
    diagonal = np.zeros(10)
    diagonal[:-1] = 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
    diagonal[1:] += 200
    expected = np.diag(diagonal) + np.diag(-400 * x[:-1], 1) + np.diag(-400 * x[:-1], -1)
    given = WAYS_TO_THE_HESSIAN[way](rosenbrock)(constant(x)).numpy()
    np.testing.assert_allclose(given, expected, rtol=1e-12, atol=1e-10)


def mlp_loss() -> tuple[Any, dict[str, ndl.Tensor]]:
    """The softmax loss of an MLP of three layers as a function of its parameters, and these, in float64."""
    np.random.seed(0)
    layers = [nn.Linear(*sizes, dtype="float64") for sizes in ((4, 5), (5, 3), (3, 3))]
    model = nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Sigmoid(), layers[2])
    x, y = constant(np.random.randn(6, 4)), constant([0, 1, 2, 0, 1, 2])

    def loss(parameters: Any) -> Any:
        return nn.SoftmaxLoss()(ndl.functional_call(model, parameters, x), y)

    return loss, {name: p.detach() for name, p in model.named_parameters()}


def test_the_hessian_of_the_loss_of_an_mlp_agrees_with_central_differences_of_its_gradient(mode):
    loss, parameters = mlp_loss()
    given = hessian(loss)(parameters)
    rows, columns = ["modules.0.weight", "modules.2.bias"], ["modules.2.weight", "modules.4.bias"]
    for row, column in itertools.product(rows, columns):

        def gradient(x: Any, row: str = row, column: str = column) -> Any:
            return grad(loss)({**parameters, column: x})[row]

        expected = central_differences(gradient, parameters[column].numpy())
        np.testing.assert_allclose(given[row][column].numpy(), expected, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(
            given[row][column].numpy(), np.moveaxis(given[column][row].numpy(), [0, 1], [-2, -1]), atol=1e-14
        )


def test_a_hessian_vector_product_is_the_product_of_hessian_and_vector(mode):
    loss, parameters = mlp_loss()
    generator = np.random.default_rng(1)
    direction = ndl.tree_map(lambda p: constant(generator.normal(size=p.shape)), parameters)
    given = hvp(loss, (parameters,), (direction,))
    whole = hessian(loss)(parameters)
    for row in parameters:
        terms = [
            np.tensordot(whole[row][column].numpy(), direction[column].numpy(), axes=direction[column].ndim)
            for column in parameters
        ]
        np.testing.assert_allclose(given[row].numpy(), sum(terms), rtol=1e-10, atol=1e-14)


def test_a_hessian_vector_product_of_several_arguments_is_a_tuple():
    x, y, one = constant([2.0]), constant([3.0]), constant([1.0])
    by_x, by_y = hvp(lambda x, y: (x * y * y).sum(), (x, y), (one, one))
    assert (by_x.numpy()[0], by_y.numpy()[0]) == (2 * 3, 2 * 3 + 2 * 2)  # H = [[0, 2y], [2y, 2x]]


@pytest.mark.parametrize("way", [jacrev, jacfwd, jacobian])
def test_jacobians_have_the_shape_of_output_and_argument(way, mode):
    by_x, by_y = way(f, argnums=(0, 1))(constant(X), constant(Y))
    for given, diagonal in zip((by_x, by_y), jacobian_of_f(X, Y)):
        np.testing.assert_allclose(given.numpy(), np.diag(diagonal.ravel()).reshape(2, 2, 2, 2), atol=1e-15)
    tree = way(lambda d: {"s": d["x"].sum(), "p": [d["x"] @ d["y"]]})({"x": constant(X), "y": constant(Y)})
    np.testing.assert_allclose(tree["s"]["x"].numpy(), np.ones((2, 2)))
    np.testing.assert_allclose(tree["p"][0]["x"].numpy(), np.einsum("ik,lj->ijkl", np.eye(2), Y), atol=1e-15)
    assert (tree["s"]["y"].numpy() == 0).all() and tree["s"]["y"].shape == (2, 2)
    assert way(ndl.sin)(constant(0.5)).shape == ()
    assert way(lambda x: x.reshape((0, 2)))(constant(np.zeros((2, 0)))).shape == (0, 2, 2, 0)


# Perturbations ----------------------------------------------------------------------------------------------------


def jvp_at(function: Any, x: Any) -> Any:
    """df/dx by forward mode."""
    return ndl.jvp(function, (x,), (1.0,))[1]


@pytest.mark.parametrize("outer", [jvp_at, lambda g, x: grad(g)(x)], ids=["forward", "reverse"])
@pytest.mark.parametrize("inner", [jvp_at, lambda g, x: grad(g)(x)], ids=["forward", "reverse"])
def test_no_perturbation_is_taken_for_another(outer, inner, mode):
    """The inner derivative is of y alone, though x moves, too: d/dx [x d/dy (x + y)] = 1, not 2."""
    assert outer(lambda x: x * inner(lambda y: x + y, 1.0), 1.0).item() == 1
    assert outer(lambda x: inner(lambda y: x * y, 2.0), 3.0).item() == 1
    assert outer(lambda x: x * inner(lambda y: x, 2.0), 3.0).item() == 0
    # d/dx [x d/dy (x y^2)] at y = x:  x * 2 x y with the inner y held, then y = x:  d/dx (2 x^3) = 6 x^2
    assert outer(lambda x: x * inner(lambda y: x * y * y, x), 2.0).item() == 24


def test_three_levels_of_forward_mode_do_not_mix():
    def g(x: Any) -> Any:
        return jvp_at(lambda y: jvp_at(lambda z: x * y * y * z * z * z, y) * x, x)

    # d/dz: 3 x y^2 z^2 at z = y: 3 x y^4; times x, d/dy: 12 x^2 y^3 at y = x: 12 x^5; d/dx: 60 x^4
    assert jvp_at(g, 2.0).item() == 60 * 16


class Cube(ndl.TensorOp):
    """A student's operator: ``compute`` and ``gradient``, and a gradient that leaves out what needs none."""

    def compute(self, a: Any) -> Any:
        return a**3

    def gradient(self, out_grad: Any, node: Any) -> Any:
        (a,) = node.inputs
        return out_grad * 3 * a**2 if a.requires_grad else None


class ThreeFold(ndl.TensorTupleOp):
    """(a b, a + b): two inputs, two outputs."""

    def compute(self, a: Any, b: Any) -> Any:
        return a * b, a + b

    def gradient(self, out_grad: Any, node: Any) -> Any:
        (a, b), (g, h) = node.inputs, out_grad
        return g * b + h, g * a + h


@pytest.mark.parametrize("mixture", MIXTURES)
def test_an_operator_with_nothing_but_a_gradient_has_derivatives_of_every_order(mixture, mode):
    function: Any = lambda x: Cube()(x) * x  # noqa: E731
    for way in MIXTURES[mixture][:4]:
        function = way(function)
    np.testing.assert_allclose(function(constant(0.7)).item(), 24, rtol=1e-12)


def test_an_operator_of_tuples_with_nothing_but_a_gradient_moves_forward(mode):
    def g(a: Any, b: Any) -> Any:
        product, total = ThreeFold()(a, b)
        return product * total  # a^2 b + a b^2

    a, b = constant([2.0]), constant([3.0])
    tangent = ndl.jvp(g, (a, b), (constant([1.0]), constant([10.0])))[1]
    assert tangent.numpy() == [2 * 2 * 3 + 9 + 10 * (4 + 2 * 2 * 3)]
    assert hvp(lambda a: g(a, b).sum(), (a,), (constant([1.0]),)).numpy() == [6]


def test_a_graph_of_40_000_nodes_moves_forward():
    def chain(x: Any) -> Any:
        for _ in range(20_000):
            x = x * 1.00001 + 0.1
        return x

    assert np.isclose(jvp_at(chain, constant(1.0)).item(), 1.00001**20_000)
