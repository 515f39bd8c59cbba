"""Stochastic gradient descent, with care."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import constant
from hw.hw2.tests.test_sgd import sgd, trained
from hw.testing import hint, same
from needle import nn, optim


@hint("float32 parameters stay float32: lr, momentum and decay are plain numbers.")
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_dtype(momentum):
    param = nn.Parameter(random(2, 2, dtype="float32"))
    opt = optim.SGD([param], lr=0.1, momentum=momentum, weight_decay=0.01)
    w, grads = param.numpy().astype(float), [random(2, 2, seed=i, dtype="float32") for i in (1, 2)]
    for g in grads:
        param.grad = constant(g)
        opt.step()
    same(param, sgd(w, grads, 0.1, momentum, 0.01), of="w after two steps", dtype="float32")


@hint("lr is read in each step: a schedule changes it.")
def test_lr_changes():
    param = nn.Parameter(np.zeros(2))
    opt = optim.SGD([param], lr=1.0)
    for lr in (1.0, 0.1):
        opt.lr = lr
        param.grad = constant(np.ones(2))
        opt.step()
    same(param, [-1.1, -1.1], of="w after steps with lr = 1 and 0.1")


@hint("u is part of the state: what state_dict gives, another optimizer goes on with.")
def test_state():
    w, grads = random(3), [random(3, seed=i) for i in (1, 2, 3)]
    first = nn.Parameter(w)
    opt = optim.SGD([first], lr=0.1, momentum=0.9)
    for g in grads[:2]:
        first.grad = constant(g)
        opt.step()
    u = 0.9 * 0.1 * grads[0] + 0.1 * grads[1]
    same(opt.state_dict()["u.0"], u, of="u.0 in the state after two steps")
    second = nn.Parameter(first.numpy())
    other = optim.SGD([second], lr=0.1, momentum=0.9)
    other.load_state_dict(opt.state_dict())
    second.grad = constant(grads[2])
    other.step()
    same(second, sgd(w, grads, 0.1, 0.9), of="w after a third step by another optimizer")


@hint("It finds the minimum of a bowl, by backward() and step().")
def test_descends():
    param = nn.Parameter(np.array([3.0, -2.0]))
    opt = optim.SGD([param], lr=0.2, momentum=0.5)
    for _ in range(60):
        opt.reset_grad()
        ((param - constant(np.array([1.0, 1.0]))) ** 2).sum().backward()
        opt.step()
    same(param, [1.0, 1.0], of="the minimum of (w - 1)^2", atol=1e-3)


@hint("Nothing of the graph of a step is kept alive by the optimizer.")
def test_graphs_are_let_go():
    param = nn.Parameter(random(3))
    opt = optim.SGD([param], lr=0.1, momentum=0.9, weight_decay=0.1)
    losses = []
    for _ in range(4):
        opt.reset_grad()
        loss = (param * param).sum()
        loss.backward()
        opt.step()
        losses.append(weakref.ref(loss))
        del loss
    opt.reset_grad()
    gc.collect()
    same(sum(each() is not None for each in losses), 0, of="how many losses are alive")


@hint(
    "clip_grad_norm: the norm is that of all elements as one vector; the clipped gradient has no graph, in its dtype."
)
@pytest.mark.parametrize("count", [1, 4])
def test_clipping(count):
    params = [nn.Parameter(random(3, 2, seed=i, dtype="float32")) for i in range(count)]
    sum((param * param * 5).sum() for param in params).backward()
    grads = [10 * param.numpy().astype(float) for param in params]
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    found = optim.SGD(params).clip_grad_norm()
    same(found, norm, of="the norm before")
    for param, g in zip(params, grads):
        same(param.grad, g * 0.25 / norm, of="a gradient, clipped to 0.25", dtype="float32")
    same(all(param.grad.op is None for param in params), True, of="whether clipped gradients are without a graph")
    same(trained(lambda p: optim.SGD(p, lr=1.0), np.ones(1), [np.ones(1)]), [0.0], of="a step afterwards")
