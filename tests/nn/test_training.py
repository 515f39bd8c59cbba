"""Everything together: small problems are learned, and modes and devices agree."""

from __future__ import annotations

import gc
from contextlib import nullcontext

import numpy as np
import pytest

import needle as ndl
from needle import nn, optim


def spirals(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Three interleaved spirals of points in the plane: not separable by lines."""
    t = np.linspace(0.2, 1, n)
    angles = [5 * t + 2 * np.pi * k / 3 for k in range(3)]
    x = np.concatenate([np.stack([t * np.cos(a), t * np.sin(a)], axis=1) for a in angles])
    return x.astype(np.float32), np.repeat(np.arange(3), n)


def fit(model: nn.Module, optimizer: optim.Optimizer, x, y, steps: int, create_graph: bool = True) -> list[float]:
    loss_function, losses = nn.SoftmaxLoss(), []
    for _ in range(steps):
        optimizer.reset_grad()
        loss = loss_function(model(x), y)
        loss.backward(create_graph=create_graph)
        optimizer.step()
        losses.append(loss.item())
    return losses


def mlp(device=None) -> nn.Module:
    return nn.Sequential(nn.Linear(2, 32, device=device), nn.ReLU(), nn.Linear(32, 3, device=device))


def data(device):
    x, y = spirals()
    return (
        ndl.Tensor(x, device=device, dtype="float32", requires_grad=False),
        ndl.Tensor(y, device=device, dtype="int64", requires_grad=False),
    )


@pytest.mark.parametrize(
    ("make", "kwargs"),
    [(optim.Adam, {"lr": 0.02}), (optim.SGD, {"lr": 1.0, "momentum": 0.9})],
    ids=["Adam", "SGD"],
)
def test_a_small_network_learns_three_spirals(make, kwargs, device):
    np.random.seed(0)
    x, y = data(device)
    model = mlp(device)
    losses = fit(model, make(model.parameters(), **kwargs), x, y, steps=200)
    assert losses[0] > 0.9
    accuracy = np.mean(model(x).numpy().argmax(1) == y.numpy())
    assert accuracy > 0.95


@pytest.mark.parametrize("create_graph", [True, False])
def test_lazy_and_eager_training_agree_to_the_bit(create_graph, device):
    x, y = data(device)
    results = []
    for mode in (nullcontext(), ndl.lazy_mode()):
        np.random.seed(0)
        with mode:
            layers = [nn.Linear(2, 8, device=device), nn.BatchNorm1d(8, device=device), nn.ReLU(), nn.Dropout(0.2)]
            model = nn.Sequential(*layers, nn.Linear(8, 3, device=device))
            optimizer = optim.Adam(model.parameters(), lr=0.01, weight_decay=0.01)
            results.append((fit(model, optimizer, x, y, 10, create_graph), model.state_dict()))
    (eager_losses, eager_state), (lazy_losses, lazy_state) = results
    assert eager_losses == lazy_losses
    for name, value in eager_state.items():
        np.testing.assert_array_equal(value, lazy_state[name])


def test_training_on_does_not_accumulate_tensors(device, mode):
    x, y = data(device)
    model = nn.Sequential(mlp(device), nn.BatchNorm1d(3, device=device), nn.Dropout(0.1))
    optimizer = optim.Adam(model.parameters())
    fit(model, optimizer, x, y, 2)
    gc.collect()
    before = ndl.autograd.TENSOR_COUNTER
    fit(model, optimizer, x, y, 5)
    assert before == ndl.autograd.TENSOR_COUNTER


def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(device):
    x, y = data(device)

    def start():
        np.random.seed(0)
        model = mlp(device)
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        return model, optimizer, optim.Schedule(optimizer, optim.cosine(10))

    def epoch(model, optimizer, schedule):
        fit(model, optimizer, x, y, 3)
        schedule.step()

    straight = start()
    for _ in range(4):
        epoch(*straight)
    interrupted = start()
    for _ in range(2):
        epoch(*interrupted)
    resumed = start()
    for target, source in zip(resumed, interrupted):
        target.load_state_dict(source.state_dict())
    for _ in range(2):
        epoch(*resumed)
    expected, given = straight[0].state_dict(), resumed[0].state_dict()
    for name, value in expected.items():
        np.testing.assert_array_equal(given[name], value)
    assert resumed[1].lr == straight[1].lr
