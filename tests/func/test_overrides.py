"""`custom_gradient`, `checkpoint`, `stop_gradient`: derivatives that are not those of the computation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn
from tests.autograd.graphs import nd_only
from tests.func.functions import constant

V = np.array([-1.0, 0.5, 100.0])


@ndl.custom_gradient
def log1pexp(x: Any) -> Any:
    """log(1 + exp(x)), whose derivative written out is inf/inf for large x."""
    e = ndl.exp(x)
    return ndl.log(1 + e), lambda g: g * (1 - 1 / (1 + e))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_a_custom_gradient_replaces_the_one_of_the_computation(mode):
    x = constant(V)
    np.testing.assert_allclose(log1pexp(x).numpy(), np.logaddexp(0, V))
    np.testing.assert_allclose(ndl.grad(lambda x: log1pexp(x).sum())(x).numpy(), sigmoid(V))
    leaf = ndl.Tensor(V, dtype="float64")
    log1pexp(leaf).sum().backward()
    np.testing.assert_allclose(leaf.grad.numpy(), sigmoid(V))


def test_a_custom_gradient_goes_forward_and_into_batches(mode):
    x, one = constant(V), constant(np.ones(3))
    np.testing.assert_allclose(ndl.jvp(log1pexp, (x,), (one,))[1].numpy(), sigmoid(V))
    np.testing.assert_allclose(ndl.vmap(ndl.grad(log1pexp))(x).numpy(), sigmoid(V))
    np.testing.assert_allclose(ndl.grad(lambda x: ndl.vmap(log1pexp)(x).sum())(x).numpy(), sigmoid(V))
    np.testing.assert_allclose(ndl.jvp(ndl.vmap(log1pexp), (x,), (one,))[1].numpy(), sigmoid(V))
    weight = constant(2.0)
    scaled = ndl.grad(lambda w: ndl.vmap(lambda x: weighted(w, x))(x).sum())
    np.testing.assert_allclose(scaled(weight).item(), 7 * V.sum())


@ndl.custom_gradient
def weighted(w: Any, x: Any) -> Any:
    """w x, with a derivative by w that is seven times too large, so that it shows whose it is."""
    return w * x, lambda g: (7 * g * x, None)


def test_a_custom_gradient_can_be_differentiated_again(mode):
    x = constant(0.5)
    s = sigmoid(0.5)
    assert np.isclose(ndl.grad(ndl.grad(log1pexp))(x).item(), s * (1 - s))
    assert np.isclose(ndl.hessian(log1pexp)(x).item(), s * (1 - s))


def test_a_custom_gradient_of_structures():
    @ndl.custom_gradient
    def swapped(pair: Any, c: Any) -> Any:
        a, b = pair
        return {"a": a + b, "b": [b * c]}, lambda g, h: (h, g, None)

    output, pullback = ndl.vjp(lambda a, b: swapped((a, b), constant(2.0)), constant([1.0]), constant([2.0]))
    assert output["b"][0].numpy() == [4]
    by_a, by_b = pullback({"a": constant([10.0]), "b": [constant([20.0])]})
    assert by_a.numpy() == [20] and by_b.numpy() == [10]


def test_a_custom_gradient_that_does_not_fit_is_named():
    bad = ndl.custom_gradient(lambda x: (x * 2, lambda g: (g, g)))
    with pytest.raises(ValueError, match="its gradient function gave 2 gradients for 1 tensors"):
        ndl.grad(bad)(1.0)
    with pytest.raises(ValueError, match=r"the gradient of input 1 has shape \(1,\), but the input has shape \(\)"):
        ndl.grad(ndl.custom_gradient(lambda x: (x * 2, lambda g: g.reshape((1,)))))(1.0)
    with pytest.raises(TypeError, match=r"must give \(output, gradient function\)"):
        ndl.custom_gradient(lambda x: x)(1.0)


def test_stop_gradient_holds_a_part_constant(mode):
    x = ndl.Tensor([2.0])
    (x * ndl.stop_gradient(x)).backward()
    assert x.grad.numpy() == [2]
    tree = ndl.stop_gradient({"a": [x, "name"]})
    assert not tree["a"][0].requires_grad and tree["a"][1] == "name"


# Checkpoints ------------------------------------------------------------------------------------------------------


def model(dropout: float = 0.5) -> nn.Module:
    """Everything that makes a second forward pass a delicate matter."""
    np.random.seed(0)
    return nn.Sequential(
        nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Dropout(dropout), nn.Tanh(), nn.Linear(5, 4), nn.LayerNorm1d(4)
    )


def gradients_with(wrap: Any) -> tuple[list[np.ndarray], dict[str, np.ndarray], float]:
    """Gradients, state and loss of one training step with the model wrapped."""
    network = model()
    x = ndl.Tensor(np.random.randn(6, 3))
    np.random.seed(1)
    loss = (wrap(network)(x) ** 3).sum()
    following = np.random.rand()
    loss.backward()
    assert np.random.rand() != following
    return [p.grad.numpy() for p in (x, *network.parameters())], network.state_dict(), loss.item()


def checkpointed_twice(network: nn.Module) -> Any:
    """A checkpoint within a checkpoint: the inner one is computed three times."""
    return ndl.checkpoint(nn.Sequential(ndl.checkpoint(network)))


@pytest.mark.parametrize("wrap", [ndl.checkpoint, checkpointed_twice])
def test_a_checkpoint_changes_no_number(wrap, mode):
    """Gradients by arguments and by captured parameters, running statistics and random draws: bit for bit."""
    expected, given = gradients_with(lambda network: network), gradients_with(wrap)
    for a, b in zip(expected[0], given[0], strict=True):
        np.testing.assert_array_equal(a, b)
    for name in expected[1]:
        np.testing.assert_array_equal(expected[1][name], given[1][name])
    assert expected[2] == given[2]


def test_a_checkpoint_computes_again_when_the_gradient_is_taken_and_only_then():
    calls = []

    def counted(x: Any) -> Any:
        calls.append(1)
        return ndl.tanh(x)

    checkpointed = ndl.checkpoint(counted)
    x = ndl.Tensor([1.0])
    y = checkpointed(x)
    assert len(calls) == 1
    y.backward()
    assert len(calls) == 2
    with ndl.no_grad():
        checkpointed(x)
    assert len(calls) == 3 and not checkpointed(constant([1.0])).requires_grad


def test_checkpoints_have_derivatives_of_every_kind(mode):
    w = constant(np.random.default_rng(0).normal(size=(3, 3)))

    def plain(x: Any) -> Any:
        return (ndl.tanh(x.reshape((1, 3)) @ w) ** 2).sum()

    x, rows = constant(V / 10), constant(np.stack([V, V + 1]) / 10)
    for derivative in (
        ndl.grad,
        ndl.hessian,
        ndl.jacrev,
        ndl.jacfwd,
        lambda f: ndl.grad(lambda x: (ndl.grad(f)(x) ** 2).sum()),
    ):
        expected, given = (derivative(f)(x).numpy() for f in (plain, ndl.checkpoint(plain)))
        np.testing.assert_allclose(given, expected, rtol=1e-12)
        expected, given = (ndl.vmap(derivative(f))(rows).numpy() for f in (plain, ndl.checkpoint(plain)))
        np.testing.assert_allclose(given, expected, rtol=1e-12)
    expected, given = (
        ndl.grad(lambda r, f=f: ndl.vmap(f)(r).sum())(rows).numpy() for f in (plain, ndl.checkpoint(plain))
    )
    np.testing.assert_allclose(given, expected, rtol=1e-12)


def test_checkpoints_nest_and_take_structures():
    w = nn.Parameter([2.0, 3.0])

    def inner(d: Any) -> Any:
        return {"y": d["x"] * w, "w": w}

    def outer(x: Any, *, power: int) -> Any:
        out = ndl.checkpoint(inner)({"x": x * w})
        return (out["y"] ** power).sum() + out["w"].sum()

    def plain(x: Any) -> Any:
        return ((x * w * w) ** 2).sum() + w.sum()

    x = ndl.Tensor([1.0, -1.0])
    plain(x).backward()
    expected = x.grad.numpy(), w.grad.numpy()
    ndl.checkpoint(outer)(x, power=2).backward()
    np.testing.assert_array_equal(x.grad.numpy(), expected[0])
    np.testing.assert_array_equal(w.grad.numpy(), expected[1])


@nd_only
def test_a_checkpointed_step_compiles():
    """Dropout draws once a step, also in a replay: forward and recomputation see the same mask."""
    results = []
    for compiled in (False, True):
        network = model()
        optimizer = ndl.optim.SGD(network.parameters(), lr=0.1)
        checkpointed = ndl.checkpoint(network)

        def step(x: Any, optimizer: Any = optimizer, checkpointed: Any = checkpointed) -> Any:
            loss = (checkpointed(x) ** 2).sum()
            optimizer.reset_grad()
            loss.backward(create_graph=False)
            optimizer.step()
            return loss

        step = ndl.compile(step) if compiled else step
        np.random.seed(3)
        losses = [step(ndl.Tensor(np.random.randn(6, 3), requires_grad=False)).item() for _ in range(5)]
        results.append((losses, network.state_dict()))
    assert results[0][0] == results[1][0]
    for name in results[0][1]:
        np.testing.assert_array_equal(results[0][1][name], results[1][1][name])
