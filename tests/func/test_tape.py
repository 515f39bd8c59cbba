"""`GradientTape`: watching, nesting, structures, Jacobians, and what it says when it is asked too much."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from needle import nn
from tests.func.functions import X, constant


def test_a_constant_must_be_watched_and_is_released_afterwards(mode):
    x, y = constant(3.0), constant(4.0)
    with ndl.GradientTape(persistent=True) as tape:
        tape.watch(x)
        z = x * y * x
        assert x.requires_grad
    assert not x.requires_grad
    assert tape.gradient(z, x).item() == 24
    assert tape.gradient(z, y) is None
    assert not x.requires_grad and x.grad is None


def test_parameters_and_tensors_that_require_a_gradient_need_no_watching():
    w, x = nn.Parameter([2.0]), ndl.Tensor([3.0])
    with ndl.GradientTape() as tape:
        y = (w * x).sum()
    by_w, by_x = tape.gradient(y, [w, x])
    assert by_w.numpy() == [3] and by_x.numpy() == [2]
    assert w.grad is None and not by_w.requires_grad


def test_sources_come_in_structures_and_so_do_targets():
    x = {"a": constant([1.0, 2.0]), "b": (constant([3.0, 4.0]), constant(5.0))}
    with ndl.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = [x["a"] * x["b"][0], (x["a"].sum(),)]
    given = tape.gradient(y, x)
    np.testing.assert_array_equal(given["a"].numpy(), [3 + 1, 4 + 1])
    np.testing.assert_array_equal(given["b"][0].numpy(), [1, 2])
    assert given["b"][1] is None
    zero = tape.gradient(y, x, unconnected_gradients="zero")
    assert zero["b"][1].item() == 0
    weighted = tape.gradient(y, x["a"], output_gradients=[constant([1.0, 10.0]), (constant(0.0),)])
    np.testing.assert_array_equal(weighted.numpy(), [3, 40])


def test_a_source_gets_the_part_that_comes_through_another():
    x = ndl.Tensor(2.0)
    with ndl.GradientTape(persistent=True) as tape:
        y = x * x
        z = y * x
    assert tape.gradient(z, x).item() == 12
    assert [g.item() for g in tape.gradient(z, [x, y])] == [12, 2]
    assert tape.gradient(z, z).item() == 1


def test_a_tape_gives_gradients_once_unless_it_is_persistent():
    x = ndl.Tensor(2.0)
    with ndl.GradientTape() as tape:
        y = x * x
    tape.gradient(y, x)
    with pytest.raises(RuntimeError, match="GradientTape\\(persistent=True\\) gives them several times"):
        tape.gradient(y, x)
    with ndl.GradientTape(persistent=True) as tape:
        y = x * x
    assert tape.gradient(y, x).item() == tape.gradient(y, x).item() == 4


def test_what_is_computed_while_recording_stops_is_constant():
    x = ndl.Tensor(3.0)
    with ndl.GradientTape() as tape:
        with tape.stop_recording():
            c = x * x
        y = c * x
    assert tape.gradient(y, x).item() == 9


def test_gradients_are_plain_data_unless_something_is_recording():
    x = ndl.Tensor(3.0)
    with ndl.GradientTape(persistent=True) as tape:
        y = x * x * x
        within = tape.gradient(y, x)
        second = tape.gradient(within, x)
    outside = tape.gradient(y, x)
    assert second.item() == 18 and within.requires_grad and not outside.requires_grad
    graph = tape.gradient(y, x, create_graph=True)
    graph.backward()
    assert x.grad.item() == 18


def test_three_tapes_nest(mode):
    x = constant(2.0)
    with ndl.GradientTape() as third:
        third.watch(x)
        with ndl.GradientTape() as second:
            second.watch(x)
            with ndl.GradientTape() as first:
                first.watch(x)
                y = x**4
            dy = first.gradient(y, x)
        d2y = second.gradient(dy, x)
    assert (dy.item(), d2y.item(), third.gradient(d2y, x).item()) == (32, 48, 48)
    assert not x.requires_grad


def test_a_tape_records_within_a_function_that_is_differentiated():
    def g(x: ndl.Tensor) -> ndl.Tensor:
        with ndl.GradientTape() as tape:
            tape.watch(x)
            y = x**3
        return tape.gradient(y, x)

    assert ndl.grad(g)(2.0).item() == 12
    assert ndl.func.derivative(g, 2.0).item() == 12


def test_jacobians_have_the_shape_of_target_and_source(mode):
    a = np.arange(6.0).reshape(3, 2)
    x, w = constant(X), constant(a)
    with ndl.GradientTape() as tape:
        tape.watch((x, w))
        y = w @ x
    given = tape.jacobian(y, {"x": x, "w": w, "other": constant(1.0)})
    np.testing.assert_allclose(given["x"].numpy(), np.einsum("ik,jl->ijkl", a, np.eye(2)), atol=1e-15)
    np.testing.assert_allclose(given["w"].numpy(), np.einsum("ik,lj->ijkl", np.eye(3), X), atol=1e-15)
    assert given["other"].shape == (3, 2) and not given["other"].numpy().any()


def test_a_batch_jacobian_is_the_diagonal_of_the_jacobian(mode):
    rows = np.random.default_rng(0).normal(size=(4, 3))
    x = constant(rows)
    with ndl.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = ndl.tanh(x) @ constant(np.ones((3, 2))) * x.sum(axes=1, keepdims=True)
    whole, given = tape.jacobian(y, x).numpy(), tape.batch_jacobian(y, x).numpy()
    assert given.shape == (4, 2, 3)
    for i in range(4):
        np.testing.assert_allclose(given[i], whole[i, :, i], rtol=1e-12)
    with pytest.raises(ValueError, match="must hold equally many examples"):
        tape.batch_jacobian(y, constant(1.0))


def test_an_empty_batch_has_an_empty_jacobian():
    x = constant(np.zeros((0, 3)))
    with ndl.GradientTape() as tape:
        tape.watch(x)
        y = x[:, :2] * 2
    assert tape.batch_jacobian(y, x).shape == (0, 2, 3)


def test_errors_say_what_would_be_right():
    x = ndl.Tensor(2.0)
    tape = ndl.GradientTape()
    with pytest.raises(RuntimeError, match="records only within its block"):
        tape.watch(x)
    with tape, pytest.raises(RuntimeError, match="is recording already"):
        tape.__enter__()
    with pytest.raises(ValueError, match="must be 'none' or 'zero', not 'None'"):
        tape.gradient(x, x, unconnected_gradients="None")
    with pytest.raises(TypeError, match=r"GradientTape.gradient differentiates by: .* not str"):
        tape.gradient(x, "x")


def test_a_freed_graph_is_named():
    x = ndl.Tensor(2.0)
    with ndl.GradientTape() as tape:
        y = x * x
    y.backward(create_graph=False)
    with pytest.raises(RuntimeError, match="the graph behind this tensor was freed"):
        tape.gradient(y, x)
