"""LayerNorm1d."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import numerical, random
from hw.hw2.tests.checks import constant, fill, gradients
from hw.testing import hint, same
from needle import nn


def reference(x, weight=1.0, bias=0.0, eps=1e-5, axis=-1):
    mean, var = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
    return weight * (x - mean) / np.sqrt(var + eps) + bias


def layer(dim, **options):
    module = nn.LayerNorm1d(dim, dtype="float64", **options)
    fill(module.weight, random(dim, seed=1))
    fill(module.bias, random(dim, seed=2))
    return module


@hint("weight is ones, bias zeros, both Parameters of shape (dim,).")
@pytest.mark.parametrize("dim", [1, 4])
def test_parameters(dim):
    module = nn.LayerNorm1d(dim)
    same(module.weight, np.ones(dim), of=f"LayerNorm1d({dim}).weight", dtype="float32")
    same(module.bias, np.zeros(dim), of=f"LayerNorm1d({dim}).bias", dtype="float32")
    for name in ("weight", "bias"):
        same(isinstance(getattr(module, name), nn.Parameter), True, of=f"whether {name} is a Parameter")


@hint("Each row by itself: its mean, its variance (the mean of the squared deviations), eps, the root.")
@pytest.mark.parametrize("shape", [(1, 2), (2, 3), (3, 3), (4, 2)])
def test_normalized(shape):
    x = random(*shape)
    n = shape[1]
    std = x.std(1, keepdims=True)
    centered = x - x.mean(1, keepdims=True)
    mistakes = {
        "mean and variance are taken over the batch": reference(x, axis=0) if shape[0] > 1 else None,
        "mean and variance are those of all elements": reference(x, axis=None) if shape[0] > 1 else None,
        "the variance is divided by n - 1": centered / np.sqrt(std**2 * n / (n - 1) + 1e-5),
        "it is divided by the variance, not by its root": centered / (std**2 + 1e-5),
        "the mean is not subtracted": x / np.sqrt(std**2 + 1e-5),
        "the squares were taken of x, not of the deviations": centered / np.sqrt((x**2).mean(1, keepdims=True) + 1e-5),
        "the division is missing": centered,
    }
    found = nn.LayerNorm1d(n, dtype="float64")(constant(x))
    same(found, reference(x), of=f"LayerNorm1d({n})(x)", given={"x": x}, mistakes=mistakes)


@hint("weight and bias belong to the features: weight[j] scales column j, after the division.")
@pytest.mark.parametrize("shape", [(2, 3), (3, 3)])
def test_weight_and_bias(shape):
    x, dim = random(*shape), shape[1]
    w, b = random(dim, seed=1), random(dim, seed=2)
    mistakes = {
        "weight is missing": reference(x, bias=b),
        "bias is missing": reference(x, w),
        "the bias is scaled, too": w * (reference(x) + b),
    }
    if shape[0] == dim:
        mistakes["weight and bias belong to the rows"] = reference(x, w[:, None], b[:, None])
    given = {"x": x, "weight": w, "bias": b}
    same(layer(dim)(constant(x)), reference(x, w, b), of=f"LayerNorm1d({dim})(x)", given=given, mistakes=mistakes)


@hint("eps is added to the variance, inside of the root; it keeps a constant row from dividing by zero.")
@pytest.mark.parametrize("eps", [0.5, 1e-5])
def test_eps(eps):
    x = np.array([[1.0, 3.0], [2.0, 2.0]])
    mistakes = {
        "eps is added to the root": (x - [[2], [2]]) / (x.std(1, keepdims=True) + eps),
        "eps is missing": np.array([[-1.0, 1.0], [np.nan, np.nan]]),
        "eps is 1e-5, whatever was given": reference(x),
    }
    if eps == 1e-5:
        del mistakes["eps is 1e-5, whatever was given"]
    with np.errstate(all="ignore"):
        found = nn.LayerNorm1d(2, eps=eps, dtype="float64")(constant(x))
    same(found, reference(x, eps=eps), of=f"LayerNorm1d(2, eps={eps})(x)", given={"x": x}, mistakes=mistakes, rtol=1e-7)


@hint("Mean and variance depend on x, so they are made by operators; then backward() does the rest.")
@pytest.mark.parametrize("shape", [(1, 3), (3, 2)])
def test_gradients(shape):
    x, g = random(*shape), random(*shape, seed=5)
    module = layer(shape[1])
    X = nn.Parameter(x)  # noqa: N806
    found = gradients(module(X), g, [X, module.weight, module.bias])
    w, b = module.weight.numpy(), module.bias.numpy()
    expected = numerical(reference, g, x, w, b)
    constant_statistics = g * w / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    mistakes = {"mean and variance are taken as constants": constant_statistics}
    for name, f, e in zip(("x", "weight", "bias"), found, expected):
        same(f, e, of=f"the gradient of {name}", given={"x": x, "out_grad": g}, mistakes=mistakes, rtol=1e-3)
