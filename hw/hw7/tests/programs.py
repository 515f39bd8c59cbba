"""Three small trainings; each has a bug that no error tells of. `healthy` has none."""

from __future__ import annotations

from typing import Any

import numpy as np

import needle as ndl
from needle import nn, optim


def data() -> tuple[Any, Any]:
    """Eight points, and a linear function of them."""
    x = np.random.default_rng(0).normal(size=(8, 3))
    constant = {"requires_grad": False, "dtype": "float64"}
    return ndl.Tensor(x, **constant), ndl.Tensor(x @ np.array([[1.0], [2.0], [3.0]]), **constant)


class Model(nn.Module):
    """Two layers, and a factor."""

    def __init__(self) -> None:
        super().__init__()
        np.random.seed(0)
        self.first = nn.Linear(3, 4, dtype="float64")
        self.second = nn.Linear(4, 1, dtype="float64")
        self.scale = nn.Parameter(ndl.init.ones(1, 1, dtype="float64"))

    def forward(self, x: Any) -> Any:
        """The factor times the second layer of the relu of the first."""
        y = self.second(ndl.relu(self.first(x)))
        return y * ndl.ops.broadcast_to(self.scale, y.shape)


def mean_square(error: Any) -> Any:
    """The mean of the squares."""
    return (error * error).sum() / error.shape[0]


def healthy(steps: int = 6, lr: float = 0.02) -> None:
    """Nothing is wrong here."""
    (x, y), model = data(), Model()
    opt = optim.SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        opt.reset_grad()
        loss = mean_square(model(x) - y)
        loss.backward()
        opt.step()


def first(steps: int = 6) -> None:
    """It does not learn."""
    healthy(steps, lr=5.0)


def second(steps: int = 6) -> None:
    """It takes more and more memory."""
    (x, y), model = data(), Model()
    opt = optim.SGD(model.parameters(), lr=0.02)
    total = ndl.Tensor(0.0, dtype="float64", requires_grad=False)
    for step in range(steps):
        opt.reset_grad()
        loss = mean_square(model(x) - y)
        loss.backward()
        opt.step()
        total = total + loss
        float(total.numpy()) / (step + 1)


class Detached(Model):
    """The same model, but for a detail."""

    def forward(self, x: Any) -> Any:
        """The factor times the second layer of the relu of the first."""
        y = self.second(ndl.relu(self.first(x)))
        return y * float(self.scale.numpy()[0, 0])


def third(steps: int = 6) -> None:
    """It learns, but not as well as it should."""
    (x, y), model = data(), Detached()
    opt = optim.SGD(model.parameters(), lr=0.02)
    for _ in range(steps):
        opt.reset_grad()
        loss = mean_square(model(x) - y)
        loss.backward()
        opt.step()
