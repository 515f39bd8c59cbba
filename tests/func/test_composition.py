"""Everything with everything: derivatives within compiled functions, lazy mode, tapes, modules and optimizers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn, optim
from tests.autograd.graphs import nd_only
from tests.func.functions import constant


def loss(x: Any) -> Any:
    return (ndl.tanh(x) ** 3).sum() * x[0]


DERIVATIVES: dict[str, Any] = {
    "grad": lambda x, v: ndl.grad(loss)(x),
    "jvp": lambda x, v: ndl.jvp(loss, (x,), (v,))[1],
    "hvp": lambda x, v: ndl.hvp(loss, (x,), (v,)),
    "hessian": lambda x, v: ndl.hessian(loss)(x),
    "jacrev of grad": lambda x, v: ndl.jacrev(ndl.grad(loss))(x),
    "linearize": lambda x, v: ndl.linearize(ndl.grad(loss), x)[1](v),
    "vmap of hvp": lambda x, v: ndl.vmap(lambda v: ndl.hvp(loss, (x,), (v,)))(ndl.stack([v, x])),
    "third order": lambda x, v: ndl.jvp(lambda x: ndl.hvp(loss, (x,), (v,)), (x,), (v,))[1],
    "checkpoint": lambda x, v: ndl.hvp(ndl.checkpoint(loss), (x,), (v,)),
}


@nd_only
@pytest.mark.parametrize("name", DERIVATIVES)
def test_a_compiled_function_may_take_any_derivative(name):
    """Recorded twice, then replayed: bit for bit what the function gives by itself."""
    function = DERIVATIVES[name]
    compiled = ndl.compile(function)
    generator = np.random.default_rng(0)
    for _ in range(5):
        x, v = (constant(generator.normal(size=4), "float32") for _ in range(2))
        np.testing.assert_array_equal(compiled(x, v).numpy(), function(x, v).numpy())
    assert len(compiled.programs) == 1


@pytest.mark.parametrize("name", DERIVATIVES)
def test_in_lazy_mode_derivatives_are_recorded_and_computed_when_asked_for(name):
    x, v = constant(np.linspace(-1, 1, 4)), constant(np.ones(4))
    expected = DERIVATIVES[name](x, v).numpy()
    with ndl.lazy_mode():
        given = DERIVATIVES[name](x, v)
        assert given.cached_data is None and given.shape == expected.shape
    np.testing.assert_allclose(given.numpy(), expected, rtol=1e-13)


@nd_only
def test_a_compiled_function_within_a_derivative_is_differentiated():
    """It runs as it is: a replay has no graph."""
    compiled = ndl.compile(loss)
    x = constant(np.linspace(-1, 1, 4))
    for _ in range(3):
        compiled(x)
    np.testing.assert_array_equal(ndl.grad(compiled)(x).numpy(), ndl.grad(loss)(x).numpy())
    np.testing.assert_array_equal(ndl.jvp(compiled, (x,), (x,))[1].numpy(), ndl.jvp(loss, (x,), (x,))[1].numpy())
    with ndl.GradientTape() as tape:
        tape.watch(x)
        y = compiled(x)
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), ndl.grad(loss)(x).numpy())


def test_lazy_mode_within_a_derivative():
    def lazily(x: Any) -> Any:
        with ndl.lazy_mode():
            return loss(x)

    x = constant(np.linspace(-1, 1, 4))
    np.testing.assert_allclose(ndl.grad(lazily)(x).numpy(), ndl.grad(loss)(x).numpy(), rtol=1e-14)
    np.testing.assert_allclose(ndl.hessian(lazily)(x).numpy(), ndl.hessian(loss)(x).numpy(), rtol=1e-14)
    rows = constant(np.ones((2, 4)))
    np.testing.assert_allclose(ndl.vmap(lazily)(rows).numpy(), ndl.vmap(loss)(rows).numpy(), rtol=1e-14)


@nd_only
def test_a_compiled_training_step_may_use_the_functional_gradient():
    """With a tape, and with `value_and_grad`: the same numbers as with ``backward``, bit for bit."""
    states = []
    for idiom in ("backward", "tape", "grad"):
        np.random.seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
        optimizer = optim.Adam(model.parameters(), lr=0.01)

        def step(x: Any, y: Any, idiom: str = idiom, model: Any = model, optimizer: Any = optimizer) -> Any:
            if idiom == "backward":
                value = nn.SoftmaxLoss()(model(x), y)
                optimizer.reset_grad()
                value.backward(create_graph=False)
            elif idiom == "tape":
                with ndl.GradientTape() as tape:
                    value = nn.SoftmaxLoss()(model(x), y)
                for p, g in zip(model.parameters(), tape.gradient(value, model.parameters())):
                    p.grad = g
            else:
                with ndl.no_grad():
                    value, gradients = ndl.value_and_grad(lambda m: nn.SoftmaxLoss()(m(x), y))(model)
                for p, g in zip(model.parameters(), gradients.parameters()):
                    p.grad = g
            optimizer.step()
            return value

        compiled = ndl.compile(step)
        np.random.seed(1)
        for _ in range(6):
            x = constant(np.random.randn(5, 4), "float32")
            compiled(x, constant(np.random.randint(3, size=5), "float32"))
        assert len(compiled.programs) == 1
        states.append(model.state_dict())
    for name, expected in states[0].items():
        np.testing.assert_array_equal(states[1][name], expected)
        np.testing.assert_array_equal(states[2][name], expected)


def test_a_gradient_penalty_trains():
    """``backward`` through a functional gradient, with an optimizer on the outside."""
    np.random.seed(0)
    critic = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    x = ndl.Tensor(np.random.randn(16, 2), requires_grad=False)
    optimizer = optim.Adam(critic.parameters(), lr=0.02)
    slope = ndl.vmap(ndl.grad(lambda row: critic(row.reshape((1, 2))).sum()))

    def penalty() -> Any:
        return ((ndl.sqrt((slope(x) ** 2).sum(axes=1)) - 1) ** 2).mean()

    first = penalty().item()
    for _ in range(60):
        value = penalty()
        value.backward(create_graph=False)
        optimizer.step()
    assert penalty().item() < 0.02 * first


def test_newtons_method_finds_the_minimum_of_rosenbrocks_function():
    """A user's program: a Hessian-vector product within conjugate gradients within a loop."""

    def rosenbrock(x: Any) -> Any:
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    x = constant([0.9, 0.8, 0.7])
    for _ in range(20):
        h, g = ndl.hessian(rosenbrock)(x).numpy(), ndl.grad(rosenbrock)(x).numpy()
        x = constant(x.numpy() - np.linalg.solve(h, g))
    np.testing.assert_allclose(x.numpy(), np.ones(3), atol=1e-12)


def test_threads_differentiate_side_by_side():
    from concurrent.futures import ThreadPoolExecutor

    def work(k: int) -> float:
        return ndl.hessian(lambda x: (x**3).sum() * k)(constant([1.0, 2.0])).numpy()[1, 1].item()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(40))) == [12.0 * k for k in range(40)]


def test_an_error_within_leaves_the_modes_as_they_were():
    from needle.modes import modes

    def broken(x: Any) -> Any:
        raise ZeroDivisionError

    before = (modes.interpreters, modes.grad_enabled, modes.differentiating)
    for call in (
        lambda: ndl.grad(broken)(1.0),
        lambda: ndl.jvp(broken, (1.0,), (1.0,)),
        lambda: ndl.vmap(broken)(constant([1.0])),
        lambda: ndl.checkpoint(broken)(ndl.Tensor(1.0)),
        lambda: ndl.hessian(broken)(1.0),
    ):
        with pytest.raises(ZeroDivisionError):
            call()
        assert (modes.interpreters, modes.grad_enabled, modes.differentiating) == before
    from needle.recording import active

    assert active.recorder is None


# What readers of the code found ------------------------------------------------------------------------------------


def test_an_auxiliary_output_keeps_the_graph_that_leads_outside():
    given = ndl.grad(lambda w: ndl.grad(lambda x: (x * x, w * w), has_aux=True)(3.0)[1])(2.0)
    assert given.item() == 4


def test_a_direction_can_be_differentiated_by_though_the_place_is_constant():
    place = constant([1.0, 2.0])
    along = ndl.jacrev(lambda t: ndl.hvp(lambda x: (x**3).sum(), (place,), (t,)))
    np.testing.assert_array_equal(along(constant([1.0, 0.0])).numpy(), [[6, 0], [0, 12]])
    assert ndl.grad(lambda t: ndl.jvp(lambda x: x * x, (3.0,), (t,))[1])(1.0).item() == 6


def test_reverse_over_forward_over_a_checkpoint():
    given = ndl.grad(lambda x: ndl.jvp(ndl.checkpoint(lambda z: z**3), (x,), (1.0,))[1])(2.0)
    assert given.item() == 12


@pytest.mark.parametrize("way", [ndl.jacrev, ndl.jacfwd, ndl.jacobian])
def test_what_is_computed_without_grad_is_constant_in_both_modes(way):
    def f(x: Any) -> Any:
        with ndl.no_grad():
            total = x.sum()
        return x * total

    np.testing.assert_array_equal(way(f)(constant([1.0, 2.0])).numpy(), 3 * np.eye(2))
    with ndl.no_grad():  # which does not reach into a derivative that is taken within
        np.testing.assert_array_equal(way(lambda x: x * x)(constant([1.0, 2.0])).numpy(), [[2, 0], [0, 4]])


def test_a_derivative_within_no_grad_is_a_constant_to_the_function_around_it():
    def f(x: Any) -> Any:
        with ndl.no_grad():
            slope = ndl.grad(lambda z: z**3)(x)
        return slope * x

    assert ndl.grad(f)(2.0).item() == ndl.jvp(f, (2.0,), (1.0,))[1].item() == 12


def test_a_loop_over_a_linearized_function_keeps_no_graph():
    _, pushforward = ndl.linearize(ndl.sin, constant(0.3))
    v = constant(1.0)
    for _ in range(3):
        v = pushforward(v)
    assert not v.requires_grad and np.isclose(v.item(), np.cos(0.3) ** 3)


def test_a_backward_within_a_differentiated_function_does_not_free_its_graph():
    def f(x: Any) -> Any:
        y = (x * x).sum()
        y.backward(create_graph=False)
        return y

    assert ndl.grad(f)(3.0).item() == 6


def test_two_tapes_may_watch_one_tensor():
    x = constant(3.0)
    with ndl.GradientTape() as outer:
        outer.watch(x)
        with ndl.GradientTape() as inner:
            inner.watch(x)
            inner.watch(x)
            y = x * x
        assert x.requires_grad
    assert not x.requires_grad
    assert inner.gradient(y, x).item() == outer.gradient(y, x).item() == 6


def test_a_tuple_is_detached_within_a_batch():
    def f(v: Any) -> Any:
        return ndl.stop_gradient(ndl.split(v))[1] * v[0]

    np.testing.assert_array_equal(ndl.vmap(ndl.grad(f))(constant([[1.0, 2.0], [3.0, 4.0]])).numpy(), [[2, 0], [4, 0]])


def test_a_rule_may_give_a_list():
    class Product(ndl.ops.EWiseMul):
        jvp = ndl.ops.rules.Elementwise.jvp

        def gradient(self, out_grad: Any, node: Any) -> Any:
            return list(super().gradient(out_grad, node))

    assert ndl.jvp(lambda x: Product()(x, x + 1), (2.0,), (1.0,))[1].item() == 5


def test_nothing_to_differentiate_by_is_an_error():
    with pytest.raises(ValueError, match="jacfwd: the arguments hold no tensor"):
        ndl.jacfwd(lambda x: constant(1.0))(())
