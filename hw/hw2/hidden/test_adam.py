"""Adam, with care."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import constant
from hw.hw2.tests.test_adam import adam
from hw.testing import hint, same
from needle import nn, optim


@hint("float32 parameters stay float32, and so do m and v.")
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_dtype(decay):
    param = nn.Parameter(random(2, 2, dtype="float32"))
    w, grads = param.numpy().astype(float), [random(2, 2, seed=i, dtype="float32") for i in (1, 2)]
    opt = optim.Adam([param], lr=0.1, weight_decay=decay)
    for g in grads:
        param.grad = constant(g)
        opt.step()
    same(param, adam(w, grads, 0.1, decay=decay), of="w after two steps", dtype="float32")
    same([x.dtype for x in (*opt.m, *opt.v)], ["float32"] * 2, of="the dtypes of m and v")


@hint("The moments of the paper are the state: m and v without correction, and t.")
def test_state():
    w, grads = random(3), [random(3, seed=i) for i in (1, 2, 3)]
    first = nn.Parameter(w)
    opt = optim.Adam([first], lr=0.1, beta1=0.5, beta2=0.9)
    for g in grads[:2]:
        first.grad = constant(g)
        opt.step()
    state = opt.state_dict()
    same(state["m.0"], 0.25 * grads[0] + 0.5 * grads[1], of="m.0 in the state after two steps")
    same(state["v.0"], 0.09 * grads[0] ** 2 + 0.1 * grads[1] ** 2, of="v.0 in the state after two steps")
    same(state["t"], 2, of="t in the state")
    second = nn.Parameter(first.numpy())
    other = optim.Adam([second], lr=0.1, beta1=0.5, beta2=0.9)
    other.load_state_dict(state)
    second.grad = constant(grads[2])
    other.step()
    same(second, adam(w, grads, 0.1, 0.5, 0.9), of="w after a third step by another optimizer", atol=1e-7)


@hint("Where the gradient is 0 nothing moves, and nothing becomes NaN; tiny and huge gradients move w alike.")
def test_sizes_of_gradients():
    param = nn.Parameter(np.zeros(4))
    opt = optim.Adam([param], lr=0.1)
    for _ in range(2):
        param.grad = constant(np.array([0.0, 1e-4, 1e6, -1e6]))
        opt.step()
    same(param, [0.0, -0.2, -0.2, 0.2], of="w after two steps", rtol=1e-3)


@hint("A parameter that gets its first gradient late has m and v of zero, and the t of the optimizer.")
def test_late_gradient():
    params = [nn.Parameter(np.ones(2)), nn.Parameter(np.ones(2))]
    opt = optim.Adam(params, lr=0.1)
    g = np.array([1.0, -2.0])
    for step in range(3):
        params[0].grad = constant(g)
        if step == 2:
            params[1].grad = constant(g)
        opt.step()
    m_hat, v_hat = 0.1 * g / (1 - 0.9**3), 0.001 * g * g / (1 - 0.999**3)
    same(params[0], adam(np.ones(2), [g] * 3, 0.1), of="the parameter with three gradients", atol=1e-7)
    same(
        params[1], 1 - 0.1 * m_hat / (np.sqrt(v_hat) + 1e-8), of="the parameter with one, in the third step", atol=1e-7
    )


@hint("lr is read in each step, and nothing of a step's graph is kept.")
def test_training():
    param = nn.Parameter(np.array([3.0, -2.0]))
    opt = optim.Adam([param], lr=0.3)
    losses = []
    for step in range(120):
        opt.lr = 0.3 if step < 60 else 0.03
        param.grad = None
        loss = ((param - constant(np.array([1.0, 1.0]))) ** 2).sum()
        loss.backward()
        opt.step()
        losses.append(weakref.ref(loss))
        del loss
    param.grad = None
    gc.collect()
    same(param, [1.0, 1.0], of="the minimum of (w - 1)^2", atol=0.05)
    same(sum(each() is not None for each in losses), 0, of="how many losses are alive")
