"""The same derivatives in four idioms: ``backward`` as in PyTorch, ``grad`` (JAX), ``gradient`` (Julia), tapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn, optim


def by_backward(f: Callable[[Any], Any], x: Any) -> Any:
    x = ndl.Tensor(x, dtype="float64")
    f(x).backward()
    return x.grad


def by_grad(f: Callable[[Any], Any], x: Any) -> Any:
    return ndl.grad(f)(ndl.Tensor(x, dtype="float64"))


def by_gradient(f: Callable[[Any], Any], x: Any) -> Any:
    (gradient,) = ndl.func.gradient(f, ndl.Tensor(x, dtype="float64"))
    return gradient


def by_tape(f: Callable[[Any], Any], x: Any) -> Any:
    x = ndl.Tensor(x, dtype="float64", requires_grad=False)
    with ndl.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, x)


IDIOMS = [by_backward, by_grad, by_gradient, by_tape]
every_idiom = pytest.mark.parametrize("derivative", IDIOMS, ids=lambda idiom: idiom.__name__)


@every_idiom
def test_the_derivative_of_a_cubic_at_3_is_29(derivative, mode):
    assert derivative(lambda x: x**3 + 2 * x, 3.0).item() == 29


def test_the_derivative_of_a_cubic_at_3_is_29_by_forward_mode(mode):
    assert ndl.func.derivative(lambda x: x**3 + 2 * x, 3.0).item() == 29
    assert ndl.jvp(lambda x: x**3 + 2 * x, (3.0,), (1.0,))[1].item() == 29


@every_idiom
def test_the_gradient_of_twice_the_squared_length_is_4x(derivative, mode):
    x = np.array([0.0, 1.0, 2.0, 3.0])
    np.testing.assert_array_equal(derivative(lambda x: 2 * (x * x).sum(), x).numpy(), 4 * x)


@every_idiom
def test_the_gradient_of_a_sum_is_ones(derivative, mode):
    np.testing.assert_array_equal(derivative(lambda x: x.sum(), np.zeros((2, 3))).numpy(), np.ones((2, 3)))


@every_idiom
def test_the_gradient_of_the_sum_of_squares_is_2x(derivative, mode):
    x = np.array([1.0, -2.0, 3.0])
    np.testing.assert_array_equal(derivative(lambda x: (x * x).sum(), x).numpy(), 2 * x)


@every_idiom
def test_the_derivative_of_the_square_at_2_is_4(derivative, mode):
    assert derivative(lambda x: x**2, 2.0).item() == 4


@every_idiom
def test_the_second_derivative_of_the_cube_at_2_is_12(derivative, mode):
    """Each idiom nested in itself; by_backward takes the graph that the first backward made."""
    if derivative is by_backward:
        x = ndl.Tensor(2.0)
        (x**3).backward()
        first = x.grad
        first.backward()
        assert x.grad.item() == 12
    elif derivative is by_tape:
        x = ndl.Tensor(2.0, requires_grad=False)
        with ndl.GradientTape() as outer:
            outer.watch(x)
            with ndl.GradientTape() as inner:
                inner.watch(x)
                y = x**3
            first = inner.gradient(y, x)
        assert outer.gradient(first, x).item() == 12
    else:
        assert derivative(lambda x: derivative_at(derivative, x), 2.0).item() == 12


def derivative_at(idiom: Any, x: Any) -> Any:
    """The first derivative of the cube, at a tensor, as a node of the graph."""
    return ndl.grad(lambda z: z**3)(x) if idiom is by_grad else ndl.func.gradient(lambda z: z**3, x)[0]


def test_the_second_derivative_of_the_cube_at_2_is_12_by_forward_mode(mode):
    second = ndl.func.derivative(lambda x: ndl.func.derivative(lambda z: z**3, x), 2.0)
    assert second.item() == 12


@pytest.mark.parametrize("idiom", ["backward", "grad", "gradient", "tape"])
def test_gradient_descent_on_the_square_takes_3_to_0(idiom, mode):
    x = nn.Parameter(3.0)
    optimizer = optim.SGD([x], lr=0.1)
    for _ in range(100):
        if idiom == "backward":
            (x * x).backward(create_graph=False)
        elif idiom == "grad":
            x.grad = ndl.grad(lambda x: x * x)(x.detach())
        elif idiom == "gradient":
            (x.grad,) = ndl.func.gradient(lambda x: x * x, x.detach())
        else:
            with ndl.GradientTape() as tape:
                y = x * x
            x.grad = tape.gradient(y, x)
        optimizer.step()
    assert abs(x.item()) < 1e-8


@pytest.mark.parametrize("idiom", ["backward", "value_and_grad", "tape"])
def test_a_small_model_trains_with_adam(idiom, mode):
    np.random.seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
    x, y = (ndl.Tensor(np.random.randn(16, n), requires_grad=False) for n in (5, 1))
    optimizer = optim.Adam(model.parameters(), lr=0.05)

    def loss_of(model: Any) -> Any:
        return ((model(x) - y) ** 2).mean()

    losses = []
    for _ in range(60):
        if idiom == "backward":
            loss = loss_of(model)
            loss.backward(create_graph=False)
        elif idiom == "value_and_grad":
            with ndl.no_grad():
                loss, gradients = ndl.value_and_grad(loss_of)(model)
            for parameter, gradient in zip(model.parameters(), gradients.parameters()):
                parameter.grad = gradient
        else:
            with ndl.GradientTape() as tape:
                loss = loss_of(model)
            for parameter, gradient in zip(model.parameters(), tape.gradient(loss, model.parameters())):
                parameter.grad = gradient
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]


def test_all_idioms_train_a_model_alike():
    """The gradients of a model's parameters are the same numbers, bit for bit, however they are asked for."""
    np.random.seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
    x, y = ndl.Tensor(np.random.randn(5, 4), requires_grad=False), ndl.Tensor([0, 1, 2, 1, 0], requires_grad=False)
    loss = nn.SoftmaxLoss()
    loss(model(x), y).backward()
    expected = [p.grad.numpy() for p in model.parameters()]
    by_module = ndl.grad(lambda model: loss(model(x), y))(model)
    by_names = ndl.grad(lambda named: loss(ndl.functional_call(model, named, x), y))(dict(model.named_parameters()))
    with ndl.GradientTape() as tape:
        value = loss(model(x), y)
    by_the_tape = tape.gradient(value, model)
    for given in (by_module.parameters(), list(by_names.values()), by_the_tape.parameters()):
        for gradient, array in zip(given, expected, strict=True):
            np.testing.assert_array_equal(gradient.numpy(), array)
