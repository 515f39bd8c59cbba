"""`vmap`: one example becomes a batch, whatever is done with it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn
from tests.func.functions import constant

A = np.arange(24.0).reshape(4, 2, 3) / 7
V = np.linspace(-1, 1, 12).reshape(4, 3)


def test_a_batch_gives_what_a_loop_gives(mode):
    given = ndl.vmap(lambda a, v: a @ v.reshape((3, 1)) + v.sum())(constant(A), constant(V))
    expected = [a @ v.reshape(3, 1) + v.sum() for a, v in zip(A, V)]
    np.testing.assert_allclose(given.numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize(("in_axis", "out_axis"), [(0, 0), (1, 0), (2, -1), (-1, 1), (-2, 0)])
def test_axes_say_where_the_examples_are(in_axis, out_axis, mode):
    given = ndl.vmap(lambda a: a * 2, in_axis, out_axis)(constant(A))
    np.testing.assert_array_equal(given.numpy(), np.moveaxis(A, in_axis, out_axis) * 2)


def test_what_is_the_same_for_all_examples_is_not_repeated():
    weight = constant(np.ones((3, 5)))
    calls: list[Any] = []

    class Seen(ndl.ops.MatMul):
        def compute(self, a: Any, b: Any) -> Any:
            calls.append((a.shape, b.shape))
            return super().compute(a, b)

    out = ndl.vmap(lambda w, a: Seen()(a, w), (None, 0))(weight, constant(A))
    assert out.shape == (4, 2, 5) and calls == [((8, 3), (3, 5))]


def test_a_result_that_does_not_depend_on_the_batch_is_repeated():
    two = constant([2.0])
    given = ndl.vmap(lambda v: (v, two, 1.0))(constant(V))
    assert [x.shape for x in given] == [(4, 3), (4, 1), (4,)] and (given[1].numpy() == 2).all()


def test_structures_go_in_and_come_out():
    def g(d: dict[str, Any], pair: Any) -> Any:
        return {"sum": d["a"].sum() + pair[0], "rest": [d["w"] * pair[1]]}

    batch = {"a": constant(A), "w": constant(2.0)}
    given = ndl.vmap(g, ({"a": 0, "w": None}, (None, 1)))(batch, (constant(1.0), constant(V.T)))
    np.testing.assert_allclose(given["sum"].numpy(), A.sum(axis=(1, 2)) + 1)
    np.testing.assert_allclose(given["rest"][0].numpy(), 2 * V)


def test_batches_of_batches(mode):
    """vmap of vmap: every row with every row, with and without a captured outer example."""
    dot = lambda v, w: (v * w).sum()  # noqa: E731
    table = ndl.vmap(lambda v: ndl.vmap(lambda w: dot(v, w))(constant(V)))(constant(V))
    np.testing.assert_allclose(table.numpy(), V @ V.T, rtol=1e-14)
    np.testing.assert_allclose(
        ndl.vmap(ndl.vmap(dot, (None, 0)), (0, None))(constant(V), constant(V)).numpy(), V @ V.T, rtol=1e-14
    )


def classifier() -> tuple[Any, Any, np.ndarray, np.ndarray]:
    """A model, its loss for one example, and a batch."""
    np.random.seed(0)
    model = nn.Sequential(nn.Linear(5, 6), nn.LayerNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
    x, y = np.random.randn(7, 5).astype("float32"), np.arange(7) % 3

    def loss(model: Any, x: Any, y: Any) -> Any:
        return nn.SoftmaxLoss()(model(x.reshape((1, 5))), y.reshape((1,)))

    return model, loss, x, y


def test_gradients_for_each_example_of_a_model(mode):
    model, loss, x, y = classifier()
    xs, ys = ndl.Tensor(x, requires_grad=False), ndl.Tensor(y, requires_grad=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        per_example = ndl.vmap(ndl.grad(loss), (None, 0, 0))(model, xs, ys)
    for i in range(7):
        single = ndl.grad(loss)(model, xs[i], ys[i])
        for whole, one in zip(per_example.parameters(), single.parameters(), strict=True):
            np.testing.assert_allclose(whole.numpy()[i], one.numpy(), rtol=1e-5, atol=1e-6)
    of_mean = ndl.grad(lambda model: nn.SoftmaxLoss()(model(xs), ys))(model)
    for whole, mean in zip(per_example.parameters(), of_mean.parameters()):
        np.testing.assert_allclose(whole.numpy().mean(axis=0), mean.numpy(), rtol=1e-5, atol=1e-6)


def test_an_ensemble_is_a_batch_of_parameters():
    models = [nn.Linear(3, 2) for _ in range(4)]
    stacked = {name: ndl.stack([dict(m.named_parameters())[name] for m in models]) for name in ("weight", "bias")}
    x = ndl.Tensor(V, requires_grad=False)
    given = ndl.vmap(lambda p: ndl.functional_call(models[0], p, x))(stacked)
    for i, model in enumerate(models):
        np.testing.assert_allclose(given.numpy()[i], model(x).numpy(), rtol=1e-6)


def test_derivatives_go_through_a_batch_and_batches_through_derivatives(mode):
    g = ndl.vmap(lambda v: ndl.tanh(v).sum() * v[0])
    by_batch = ndl.grad(lambda x: (g(x) ** 2).sum())(constant(V))
    by_rows = [ndl.grad(lambda v: (ndl.tanh(v).sum() * v[0]) ** 2)(constant(v)).numpy() for v in V]
    np.testing.assert_allclose(by_batch.numpy(), by_rows, rtol=1e-12)
    t = np.ones_like(V)
    by_batch = ndl.jvp(g, (constant(V),), (constant(t),))[1].numpy()
    by_rows = [
        ndl.jvp(lambda v: ndl.tanh(v).sum() * v[0], (constant(v),), (constant(s),))[1].item() for v, s in zip(V, t)
    ]
    np.testing.assert_allclose(by_batch, by_rows, rtol=1e-12)
    hessians = ndl.vmap(ndl.hessian(lambda v: (ndl.sin(v) * v[1]).sum()))(constant(V)).numpy()
    for v, hessian in zip(V, hessians):
        np.testing.assert_allclose(
            hessian, ndl.hessian(lambda v: (ndl.sin(v) * v[1]).sum())(constant(v)).numpy(), atol=1e-14
        )


def test_backward_within_a_batch_leaves_gradients_of_each_example():
    def g(v: Any) -> Any:
        v.requires_grad = True
        (v * v).sum().backward()
        return v.grad

    np.testing.assert_allclose(ndl.vmap(g)(constant(V)).numpy(), 2 * V)


class Cube(ndl.TensorOp):
    """A student's operator."""

    def compute(self, a: Any) -> Any:
        return a**3

    def gradient(self, out_grad: Any, node: Any) -> Any:
        return out_grad * 3 * node.inputs[0] ** 2


class SumAndDifference(ndl.TensorTupleOp):
    """Another, of two inputs, with two outputs."""

    def compute(self, a: Any, b: Any) -> Any:
        return a + b, a - b

    def gradient(self, out_grad: Any, node: Any) -> Any:
        g, h = out_grad
        return g + h, g - h


def test_an_operator_without_a_rule_is_applied_in_a_loop_with_a_warning(mode):
    with pytest.warns(RuntimeWarning, match="Cube has no batch rule, so it is applied to the 4 examples one by one"):
        given = ndl.vmap(ndl.grad(lambda v: Cube()(v).sum()))(constant(V))
    np.testing.assert_allclose(given.numpy(), 3 * V**2)
    with pytest.warns(RuntimeWarning, match="SumAndDifference has no batch rule"):
        total, difference = ndl.vmap(lambda v: SumAndDifference()(v, constant(V[0])).tuple())(constant(V))
    np.testing.assert_allclose(total.numpy(), V + V[0])
    np.testing.assert_allclose(difference.numpy(), V - V[0])


def test_an_example_tells_its_shape_and_has_no_values():
    def g(v: Any) -> Any:
        assert v.shape == (3,) and v.dtype == "float64" and v.ndim == 1 and v.size == 3
        assert "(3,) float64" in repr(v * 2)
        with pytest.raises(RuntimeError, match=r"within vmap a tensor stands for one example .* here \(3,\)"):
            v.numpy()
        with pytest.raises(RuntimeError, match="within vmap"):
            bool((v * 2).sum())
        return v.detach() + v.data

    np.testing.assert_allclose(ndl.vmap(g)(constant(V)).numpy(), 2 * V)


def test_random_draws_are_the_same_for_all_examples():
    given = ndl.vmap(lambda v: v * 0 + ndl.init.rand(3, dtype="float64"))(constant(V)).numpy()
    assert (given == given[0]).all()


def test_an_empty_batch_has_empty_results():
    assert ndl.vmap(lambda v: ndl.tanh(v).sum())(constant(np.zeros((0, 3)))).shape == (0,)


def test_errors_say_what_would_be_right():
    with pytest.raises(ValueError, match=r"the batches must have one size, got \[2, 4\]"):
        ndl.vmap(lambda a, b: a)(constant(A), constant(V[:2]))
    with pytest.raises(ValueError, match="in_axes must name an axis of at least one argument"):
        ndl.vmap(lambda a: a, None)(constant(A))
    with pytest.raises(ValueError, match=r"names axis 3 of a tensor of shape \(4, 2, 3\)"):
        ndl.vmap(lambda a: a, 3)(constant(A))
    with pytest.raises(ValueError, match="names axis 0 of a tensor of shape"):
        ndl.vmap(lambda a: a)(2.0)
    with pytest.raises(ValueError, match=r"out_axes is 2, but a result has shape \(4, 3\)"):
        ndl.vmap(lambda a: a, 0, 2)(constant(V))
    with pytest.raises(ValueError, match="names 1 arguments, the function was called with 2"):
        ndl.vmap(lambda a, b: a, (0,))(constant(A), constant(V))
    with pytest.raises(ValueError, match=r"in_axes \(0, 0\) does not fit an argument of type Tensor"):
        ndl.vmap(lambda a: a, ((0, 0),))(constant(A))
