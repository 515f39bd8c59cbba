"""More trainings with a bug."""

from __future__ import annotations

import needle as ndl
from hw.hw7.tests.programs import Model, data, mean_square
from needle import nn, optim


def momentum(steps=6):
    """The average of the gradients keeps their graphs."""
    (x, y), model = data(), Model()
    opt = optim.SGD(model.parameters(), lr=0.01)
    average = None
    for _ in range(steps):
        opt.reset_grad()
        mean_square(model(x) - y).backward()
        for param in (model.first.weight,):
            average = param.grad * 0.1 if average is None else average * 0.9 + param.grad
            param.grad = average.detach()
        opt.step()


def history(steps=6):
    """The losses are kept as nodes."""
    (x, y), model = data(), Model()
    opt, losses = optim.Adam(model.parameters(), lr=0.01), []
    for _ in range(steps):
        opt.reset_grad()
        loss = mean_square(model(x) - y)
        losses.append(loss)
        loss.backward(create_graph=False)
        opt.step()


class Frozen(Model):
    """The first layer is detached."""

    def forward(self, x):
        y = self.second(ndl.relu(self.first(x)).detach())
        return y * ndl.ops.broadcast_to(self.scale, y.shape)


def frozen(steps=5):
    """The first layer gets no gradient; in the first step nothing does."""
    (x, y), model = data(), Frozen()
    opt = optim.SGD(model.parameters(), lr=0.01)
    for step in range(steps):
        opt.reset_grad()
        loss = mean_square(model(x) - y)
        if step:
            loss.backward()
        opt.step()


def both(steps=6):
    """Two bugs: steps that are too large, and a layer that is never used."""
    (x, y), model, spare = data(), Model(), nn.Parameter(ndl.init.ones(2))
    opt = optim.SGD([*model.parameters(), spare], lr=5.0)
    for _ in range(steps):
        opt.reset_grad()
        mean_square(model(x) - y).backward()
        opt.step()


def short(steps=3):
    """The same bug as in `second`, but too short to be sure."""
    (x, y), model = data(), Model()
    opt, losses = optim.SGD(model.parameters(), lr=0.01), []
    for _ in range(steps):
        opt.reset_grad()
        losses.append(mean_square(model(x) - y))
        losses[-1].backward()
        opt.step()


def lately(steps=8):
    """Kept for a while, and let go of again."""
    (x, y), model = data(), Model()
    opt, losses = optim.SGD(model.parameters(), lr=0.01), []
    for step in range(steps):
        opt.reset_grad()
        losses.append(mean_square(model(x) - y))
        losses[-1].backward()
        if step == steps - 2:
            losses.clear()
        opt.step()
