"""Stochastic gradient descent, reset_grad and clip_grad_norm."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import constant, without_graph
from hw.testing import hint, same
from needle import nn, optim


def trained(make, w, grads):
    """The parameter after one step for each gradient."""
    param = nn.Parameter(w)
    opt = make([param])
    for g in grads:
        param.grad = constant(g)
        opt.step()
    return param.numpy()


def sgd(w, grads, lr, momentum=0.0, decay=0.0):
    """The formulas, in NumPy."""
    u = np.zeros_like(w)
    for grad in grads:
        g = grad + decay * w
        u = momentum * u + (1 - momentum) * g
        w = w - lr * u
    return w


def heavy_ball(w, grads, lr, momentum, decay=0.0):
    u = np.zeros_like(w)
    for grad in grads:
        u = momentum * u + grad + decay * w
        w = w - lr * u
    return w


@hint("w <- w - lr * grad.")
@pytest.mark.parametrize(("shape", "lr"), [((1,), 1.0), ((2, 3), 0.1), ((), 0.5)])
def test_one_step(shape, lr):
    w, g = random(*shape), random(*shape, seed=1)
    mistakes = {"it goes uphill": w + lr * g, "lr is missing": w - g if lr != 1 else None, "w is what it was": w}
    found = trained(lambda params: optim.SGD(params, lr=lr), w, [g])
    same(found, w - lr * g, of=f"w after a step of SGD(lr={lr})", given={"w": w, "grad": g}, mistakes=mistakes)


@hint("g <- grad + weight_decay * w, with the w before the step.")
@pytest.mark.parametrize("steps", [1, 3])
def test_weight_decay(steps):
    w, grads = random(2, 2), [random(2, 2, seed=i) for i in range(1, steps + 1)]
    mistakes = {
        "weight decay is missing": sgd(w, grads, 0.1),
        "weight decay pushes away from 0": sgd(w, grads, 0.1, decay=-0.5),
        "lr is not applied to the decay": w - 0.1 * grads[0] - 0.5 * w if steps == 1 else None,
    }
    found = trained(lambda params: optim.SGD(params, lr=0.1, weight_decay=0.5), w, grads)
    expected = sgd(w, grads, 0.1, decay=0.5)
    same(found, expected, of=f"w after {steps} steps with weight_decay=0.5", given={"w": w}, mistakes=mistakes)


@hint("u <- momentum * u + (1 - momentum) * g, then w <- w - lr * u; u stays from step to step.")
@pytest.mark.parametrize(("steps", "momentum"), [(1, 0.9), (2, 0.5), (4, 0.9)])
def test_momentum(steps, momentum):
    w, grads = random(3), [random(3, seed=i) for i in range(1, steps + 1)]
    mistakes = {
        "the factor 1 - momentum is missing": heavy_ball(w, grads, 0.1, momentum),
        "momentum is not used": sgd(w, grads, 0.1),
        "u is forgotten from step to step": sgd(w, grads, 0.1 * (1 - momentum)),
        "momentum and 1 - momentum are swapped": sgd(w, grads, 0.1, 1 - momentum) if momentum != 0.5 else None,
    }
    found = trained(lambda params: optim.SGD(params, lr=0.1, momentum=momentum), w, grads)
    of = f"w after {steps} steps with momentum={momentum}"
    same(found, sgd(w, grads, 0.1, momentum), of=of, given={"w": w}, mistakes=mistakes)


@hint("Each parameter has a u of its own. One without a gradient (None) stays where it is, and its u, too.")
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_several_parameters(momentum):
    ws = [random(2), random(3, 1, seed=1), random(2, seed=2)]
    params = [nn.Parameter(w) for w in ws]
    opt = optim.SGD(params, lr=0.1, momentum=momentum, weight_decay=0.1)
    given = [[], [], []]
    for step in range(3):
        for i, param in enumerate(params):
            param.grad = None
            if i != 1 or step == 1:
                given[i].append(random(*ws[i].shape, seed=10 * step + i))
                param.grad = constant(given[i][-1])
        opt.step()
    for i, param in enumerate(params):
        expected = sgd(ws[i], given[i], 0.1, momentum, 0.1)
        of = f"parameter {i} of 3 after three steps; it had a gradient in {len(given[i])} of them"
        same(param, expected, of=of, mistakes={"it is what it was": ws[i]})


@hint("The gradient is not the optimizer's to change, and a step leaves no graph behind.")
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "weight_decay": 0.1}], ids=["plain", "all"])
def test_what_a_step_leaves(options):
    param = nn.Parameter(random(2, 2))
    opt = optim.SGD([param], lr=0.1, **options)
    g = random(2, 2, seed=1)
    param.grad = gradient = constant(g.copy())
    for _ in range(2):
        opt.step()
    same(param.grad is gradient, True, of="whether grad is the same Tensor as before the steps")
    same(param.grad, g, of="grad, after the steps")
    same([without_graph(param), param.requires_grad], [True, True], of="whether w is a leaf, and requires a gradient")
    same(all(without_graph(u) for u in opt.u), True, of="whether u is without a graph")


@hint("reset_grad: grad = None for every parameter.")
@pytest.mark.parametrize("count", [1, 3])
def test_reset_grad(count):
    params = [nn.Parameter(random(2, seed=i)) for i in range(count)]
    opt = optim.SGD(params)
    for param in params[1:] or params:
        param.grad = constant(random(2))
    opt.reset_grad()
    same([param.grad for param in params], [None] * count, of="the gradients after reset_grad()")


@hint("One norm for all gradients together: if it is above max_norm, all are multiplied by max_norm / norm.")
@pytest.mark.parametrize(("max_norm", "size"), [(1.0, 2), (100.0, 2), (0.5, 1)])
def test_clip_grad_norm(max_norm, size):
    grads = [random(2, 3, seed=1), random(4, seed=2)][:size]
    params = [nn.Parameter(np.zeros_like(g)) for g in grads] + [nn.Parameter(np.ones(2))]
    for param, g in zip(params, grads):
        param.grad = constant(g)
    norm = float(np.sqrt(sum((g**2).sum() for g in grads)))
    found = optim.SGD(params).clip_grad_norm(max_norm)
    same(found, norm, of="what clip_grad_norm gives: the norm before", mistakes={"it is the norm after": max_norm})
    factor = min(1.0, max_norm / norm)
    for i, g in enumerate(grads):
        mistakes = {
            "each gradient is clipped by itself": g * min(1.0, max_norm / np.linalg.norm(g)) if size > 1 else None,
            "nothing is clipped": g,
            "gradients below the bound are scaled up": g * max_norm / norm,
            "each element is clipped": np.clip(g, -max_norm, max_norm),
        }
        same(params[i].grad, g * factor, of=f"gradient {i} after clip_grad_norm({max_norm})", mistakes=mistakes)
    same(params[-1].grad, None, of="the gradient of a parameter that has none")
