"""Clipping gradients, and an optimizer's state."""

from __future__ import annotations

import numpy as np
import pytest

from needle import nn, optim
from tests.nn.checks import tensor


def parameters(device=None):
    return [nn.Parameter(np.arange(6.0).reshape(2, 3), device=device), nn.Parameter([1.0, 2.0], device=device)]


def set_gradients(params, step=0):
    rng = np.random.RandomState(step)
    for param in params:
        param.grad = nn.Parameter(rng.randn(*param.shape), device=param.device, dtype=param.dtype)


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam])
def test_clipping_scales_all_gradients_by_one_factor(make, device, mode):
    params = [*parameters(device), nn.Parameter([5.0], device=device)]
    params[0].grad = tensor([[3.0, 0, 0], [0, 0, 0]], device)
    params[1].grad = tensor([0.0, 4.0], device)
    assert make(params).clip_grad_norm(max_norm=0.5) == pytest.approx(5.0)
    np.testing.assert_allclose(params[0].grad.numpy(), [[0.3, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(params[1].grad.numpy(), [0, 0.4])
    assert params[2].grad is None


def test_clipping_leaves_short_gradients_as_they_are():
    params = parameters()
    set_gradients(params)
    grads = [p.grad for p in params]
    norm = np.sqrt(sum((g.numpy() ** 2).sum() for g in grads))
    optimizer = optim.SGD(params)
    assert optimizer.clip_grad_norm(max_norm=100) == pytest.approx(norm)
    assert all(p.grad is g for p, g in zip(params, grads))
    optimizer.clip_grad_norm()
    assert np.sqrt(sum((p.grad.numpy() ** 2).sum() for p in params)) == pytest.approx(0.25, rel=1e-6)


def test_clipping_does_not_overflow_in_float32():
    param = nn.Parameter([1.0, 1.0], dtype="float32")
    param.grad = nn.Parameter([3e30, 4e30], dtype="float32")
    assert optim.SGD([param]).clip_grad_norm(1.0) == pytest.approx(5e30)
    np.testing.assert_allclose(param.grad.numpy(), [0.6, 0.8], rtol=1e-6)
    with pytest.raises(ValueError, match="clip_grad_norm: max_norm must be positive; got 0"):
        optim.SGD([param]).clip_grad_norm(0)


MAKES = [
    lambda params: optim.SGD(params, lr=0.1),
    lambda params: optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.1),
    lambda params: optim.Adam(params, lr=0.1, weight_decay=0.1),
]


def test_names_are_attributes_and_parameter_indices():
    assert list(MAKES[0](parameters()).state_dict()) == ["lr"]
    assert list(MAKES[1](parameters()).state_dict()) == ["lr", "u.0", "u.1"]
    state = MAKES[2](parameters()).state_dict()
    assert list(state) == ["lr", "t", "m.0", "m.1", "v.0", "v.1"]
    assert state["lr"] == 0.1 and state["t"] == 0
    assert type(state["m.0"]) is np.ndarray and state["m.0"].shape == (2, 3) and state["v.1"].shape == (2,)


@pytest.mark.parametrize("make", MAKES, ids=["SGD", "momentum", "Adam"])
def test_a_restored_optimizer_goes_on_to_the_bit(make, device, mode):
    def steps(optimizer, numbers):
        for step in numbers:
            set_gradients(optimizer.params, step)
            optimizer.step()

    straight = make(parameters(device))
    steps(straight, range(3))
    straight.lr = 0.05
    state, weights = straight.state_dict(), [p.numpy() for p in straight.params]
    steps(straight, range(3, 6))

    restored = make([nn.Parameter(w, device=device, dtype=str(w.dtype)) for w in weights])
    restored.load_state_dict({name: np.asarray(value) for name, value in state.items()})
    assert restored.lr == 0.05 and type(restored.lr) is float
    steps(restored, range(3, 6))
    for a, b in zip(straight.params, restored.params):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_repr_shows_the_numbers():
    assert repr(MAKES[1](parameters())) == "SGD(2 parameters, lr=0.1, momentum=0.9, weight_decay=0.1)"


def test_a_state_is_a_snapshot():
    optimizer = MAKES[2](parameters())
    set_gradients(optimizer.params)
    optimizer.step()
    state = optimizer.state_dict()
    kept = state["m.0"].copy()
    optimizer.step()
    np.testing.assert_array_equal(state["m.0"], kept)
    optimizer.load_state_dict(state)
    state["m.0"][:] = 0
    np.testing.assert_array_equal(optimizer.state_dict()["m.0"], kept)


def test_one_error_lists_everything_that_does_not_fit_and_nothing_changes():
    optimizer = MAKES[2](parameters())
    set_gradients(optimizer.params)
    optimizer.step()
    before = optimizer.state_dict()
    state = dict(before, lr=0.7, **{"m.1": np.zeros(3), "u.0": np.zeros(2)})
    del state["t"], state["v.0"]
    with pytest.raises(ValueError) as caught:
        optimizer.load_state_dict(state)
    assert str(caught.value).splitlines() == [
        "load_state_dict: the state does not fit this Adam; nothing was changed.",
        "  missing: 't' of shape ()",
        "  wrong shape: 'm.1' has shape (3,); it must have (2,)",
        "  missing: 'v.0' of shape (2, 3)",
        "  unexpected: 'u.0' of shape (2,)",
    ]
    after = optimizer.state_dict()
    assert list(after) == list(before)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)
