"""Adam."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import constant, without_graph
from hw.hw2.tests.test_sgd import trained
from hw.testing import hint, same
from needle import nn, optim


def adam(w, grads, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8, decay=0.0, **wrong):
    """The formulas, in NumPy; and what becomes of them by some mistakes."""
    m = v = np.zeros_like(w)
    for t, grad in enumerate(grads, start=wrong.get("first", 1)):
        g = grad if wrong.get("decoupled") else grad + decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * (g if wrong.get("unsquared") else g * g)
        if wrong.get("uncorrected"):
            m_hat, v_hat = m, v
        else:
            m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        if wrong.get("corrected_for_good"):
            m, v = m_hat, v_hat
        root = np.sqrt(v_hat + eps) if wrong.get("eps_inside") else np.sqrt(abs(v_hat)) + eps
        w = w - lr * m_hat / (v_hat + eps if wrong.get("no_root") else root)
        if wrong.get("decoupled"):
            w = w - lr * decay * w
    return w


def mistakes_of(w, grads, **options):
    named = {
        "the bias correction is missing": {"uncorrected": True},
        "t is one too large": {"first": 2},
        "the corrected moments are remembered, not those themselves": {"corrected_for_good": True},
        "the square root of v_hat is missing": {"no_root": True},
        "g is not squared": {"unsquared": True},
        "eps is inside of the square root": {"eps_inside": True},
        "weight decay is missing": {"decay": 0.0},
        "weight decay is subtracted from w, not added to the gradient": {"decoupled": True},
    }
    with np.errstate(all="ignore"):
        results = {what: adam(w, grads, **{**options, **wrong}) for what, wrong in named.items()}
    right = adam(w, grads, **options)
    return {what: result for what, result in results.items() if not np.allclose(result, right, rtol=1e-4, atol=1e-5)}


@hint(
    "In the first step m_hat is g and v_hat is g^2: each element moves by about lr, against the sign of its gradient."
)
@pytest.mark.parametrize(("shape", "lr"), [((1,), 0.1), ((2, 3), 0.01), ((), 0.1)])
def test_one_step(shape, lr):
    w, g = random(*shape), random(*shape, seed=1)
    mistakes = mistakes_of(w, [g], lr=lr) | {"w is what it was": w, "it goes uphill": 2 * w - adam(w, [g], lr)}
    found = trained(lambda params: optim.Adam(params, lr=lr), w, [g])
    of = f"w after a step of Adam(lr={lr})"
    same(found, adam(w, [g], lr), of=of, given={"w": w, "grad": g}, mistakes=mistakes, atol=1e-7)


@hint("m and v stay from step to step, and t counts the steps.")
@pytest.mark.parametrize("steps", [2, 3, 10])
def test_several_steps(steps):
    w, grads = random(2, 2), [random(2, 2, seed=i) for i in range(1, steps + 1)]
    found = trained(lambda params: optim.Adam(params, lr=0.1), w, grads)
    mistakes = mistakes_of(w, grads, lr=0.1)
    same(found, adam(w, grads, 0.1), of=f"w after {steps} steps", given={"w": w}, mistakes=mistakes, atol=1e-7)


@hint("beta1, beta2 and eps: look where each of them stands; eps is added to the root of v_hat.")
@pytest.mark.parametrize(("beta1", "beta2", "eps"), [(0.5, 0.9, 1e-8), (0.0, 0.5, 1e-8), (0.9, 0.99, 0.5)])
def test_options(beta1, beta2, eps):
    w, grads = random(3), [random(3, seed=i) for i in (1, 2, 3)]
    options = {"lr": 0.1, "beta1": beta1, "beta2": beta2, "eps": eps}
    found = trained(lambda params: optim.Adam(params, **options), w, grads)
    mistakes = mistakes_of(w, grads, **options)
    same(found, adam(w, grads, **options), of=f"w after 3 steps, {options}", mistakes=mistakes, atol=1e-7)


@hint("g <- grad + weight_decay * w comes first; m and v are made of that g.")
@pytest.mark.parametrize("steps", [1, 4])
def test_weight_decay(steps):
    w, grads = random(3), [0.1 * random(3, seed=i) for i in range(1, steps + 1)]
    found = trained(lambda params: optim.Adam(params, lr=0.1, weight_decay=0.5), w, grads)
    options = {"lr": 0.1, "decay": 0.5}
    expected = adam(w, grads, **options)
    same(
        found,
        expected,
        of="w with weight_decay=0.5",
        given={"w": w},
        mistakes=mistakes_of(w, grads, **options),
        atol=1e-7,
    )


@hint("t counts steps, not parameters; one without a gradient stays where it is.")
@pytest.mark.parametrize("count", [2, 3])
def test_several_parameters(count):
    ws = [random(2, seed=i) for i in range(count)]
    params = [nn.Parameter(w) for w in ws] + [nn.Parameter(np.ones(2))]
    opt = optim.Adam(params, lr=0.1)
    given = [[random(2, seed=10 * step + i) for step in range(3)] for i in range(count)]
    for step in range(3):
        for i in range(count):
            params[i].grad = constant(given[i][step])
        opt.step()
    same(opt.t, 3, of="t after three steps", mistakes={"it counts parameters": 3 * count})
    for i in range(count):
        same(params[i], adam(ws[i], given[i], 0.1), of=f"parameter {i} of {count} after three steps", atol=1e-7)
    same(params[-1], np.ones(2), of="a parameter that has no gradient")


@hint("The gradient is not the optimizer's to change, and a step leaves no graph behind.")
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_what_a_step_leaves(decay):
    param = nn.Parameter(random(2, 2))
    opt = optim.Adam([param], weight_decay=decay)
    g = random(2, 2, seed=1)
    param.grad = constant(g.copy())
    for _ in range(2):
        opt.step()
    same(param.grad, g, of="grad, after the steps")
    same([without_graph(param), param.requires_grad], [True, True], of="whether w is a leaf, and requires a gradient")
    same([without_graph(x) for x in (*opt.m, *opt.v)], [True, True], of="whether m and v are without a graph")
