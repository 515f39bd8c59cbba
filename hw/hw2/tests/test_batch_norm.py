"""BatchNorm1d."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import numerical, random
from hw.hw2.tests.checks import constant, fill, gradients, without_graph
from hw.testing import hint, same
from needle import nn


def reference(x, weight=1.0, bias=0.0, eps=1e-5, mean=None, var=None):
    mean = x.mean(0) if mean is None else mean
    var = x.var(0) if var is None else var
    return weight * (x - mean) / np.sqrt(var + eps) + bias


def layer(dim, **options):
    module = nn.BatchNorm1d(dim, dtype="float64", **options)
    fill(module.weight, random(dim, seed=1))
    fill(module.bias, random(dim, seed=2))
    return module


@hint("weight and bias are Parameters; running_mean (zeros) and running_var (ones) are Tensors that are not learned.")
@pytest.mark.parametrize("dim", [1, 3])
def test_what_it_holds(dim):
    module = nn.BatchNorm1d(dim)
    expected = {
        "weight": np.ones(dim),
        "bias": np.zeros(dim),
        "running_mean": np.zeros(dim),
        "running_var": np.ones(dim),
    }
    for name, value in expected.items():
        found = getattr(module, name)
        same(found, value, of=f"BatchNorm1d({dim}).{name}", dtype="float32")
        learned = name in ("weight", "bias")
        same(isinstance(found, nn.Parameter), learned, of=f"whether {name} is a Parameter")
        same(found.requires_grad, learned, of=f"whether {name} requires a gradient")


@hint("While training: each column by itself, its mean over the batch, its variance divided by n.")
@pytest.mark.parametrize("shape", [(2, 1), (3, 2), (3, 3), (4, 5)])
def test_training(shape):
    x, (n, dim) = random(*shape), shape
    w, b = random(dim, seed=1), random(dim, seed=2)
    std, centered = x.std(0), x - x.mean(0)
    rows = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    mistakes = {
        "mean and variance are taken over the features": w * rows + b,
        "the variance is divided by n - 1": w * centered / np.sqrt(std**2 * n / (n - 1) + 1e-5) + b,
        "it is divided by the variance, not by its root": w * centered / (std**2 + 1e-5) + b,
        "the running estimates are used while training": reference(x, w, b, mean=0.0, var=1.0),
        "weight is missing": reference(x, bias=b),
        "bias is missing": reference(x, w),
    }
    given = {"x": x, "weight": w, "bias": b}
    same(layer(dim)(constant(x)), reference(x, w, b), of=f"BatchNorm1d({dim})(x)", given=given, mistakes=mistakes)


@hint("running <- (1 - momentum) * running + momentum * observed, once a batch, with the (biased) batch variance.")
@pytest.mark.parametrize(("momentum", "batches"), [(0.1, 1), (0.25, 1), (0.1, 3)])
def test_running_estimates(momentum, batches):
    module = layer(3, momentum=momentum)
    mean, var = np.zeros(3), np.ones(3)
    swapped, unbiased = (mean, var), (mean, var)
    for batch in range(batches):
        x = random(4, 3, seed=batch)
        module(constant(x))
        mean = (1 - momentum) * mean + momentum * x.mean(0)
        var = (1 - momentum) * var + momentum * x.var(0)
        swapped = tuple(momentum * old + (1 - momentum) * new for old, new in zip(swapped, (x.mean(0), x.var(0))))
        unbiased = mean, (1 - momentum) * unbiased[1] + momentum * x.var(0, ddof=1)
    for i, (name, expected) in enumerate((("running_mean", mean), ("running_var", var))):
        mistakes = {
            "it is what it was at first": [np.zeros(3), np.ones(3)][i],
            "momentum and 1 - momentum are swapped": swapped[i],
            "the observed variance is divided by n - 1": unbiased[i] if i else None,
            "it is the last batch's alone": [x.mean(0), x.var(0)][i],
        }
        of = f"{name} after {batches} batches, momentum {momentum}"
        same(getattr(module, name), expected, of=of, mistakes=mistakes)


@hint("In evaluation the running estimates take the place of the batch's, and they stay what they are.")
@pytest.mark.parametrize("n", [1, 2, 4])
def test_evaluation(n):
    x, dim = random(n, 3), 3
    module = layer(dim)
    mean, var = random(dim, seed=3), random(dim, seed=4, low=0.5)
    fill(module.running_mean, mean)
    fill(module.running_var, var)
    module.training = False
    w, b = module.weight.numpy(), module.bias.numpy()
    mistakes = {
        "the batch's own mean and variance are used": reference(x, w, b),
        "eps is missing": w * (x - mean) / np.sqrt(var) + b,
        "it is divided by running_var, not by its root": w * (x - mean) / (var + 1e-5) + b,
    }
    given = {"x": x, "running_mean": mean, "running_var": var}
    expected = reference(x, w, b, mean=mean, var=var)
    same(
        module(constant(x)),
        expected,
        of="BatchNorm1d(3)(x) in evaluation",
        given=given,
        mistakes=mistakes,
        rtol=1e-7,
        atol=1e-9,
    )
    same(module.running_mean, mean, of="running_mean, afterwards")
    same(module.running_var, var, of="running_var, afterwards")


@hint("While training, mean and variance depend on x, so they are operators' outputs, and no numbers.")
@pytest.mark.parametrize("training", [True, False])
def test_gradients(training):
    x, g = random(4, 2), random(4, 2, seed=5)
    module = layer(2)
    module.training = training
    X = nn.Parameter(x)  # noqa: N806
    found = gradients(module(X), g, [X, module.weight, module.bias])
    w, b = module.weight.numpy(), module.bias.numpy()
    seen = {} if training else {"mean": 0.0, "var": 1.0}
    expected = numerical(lambda x, w, b: reference(x, w, b, **seen), g, x, w, b)
    mistakes = {"mean and variance are taken as constants": g * w / np.sqrt(x.var(0) + 1e-5)}
    for name, f, e in zip(("x", "weight", "bias"), found, expected):
        of = f"the gradient of {name} {'while training' if training else 'in evaluation'}"
        same(f, e, of=of, given={"x": x, "out_grad": g}, mistakes=mistakes, rtol=1e-3)


@hint("running.data = ... changes the numbers. running = ... would hang the graph of every batch on the next.")
@pytest.mark.parametrize("batches", [1, 3])
def test_no_graph_is_kept(batches):
    module = nn.BatchNorm1d(2)
    mean, var = module.running_mean, module.running_var
    for batch in range(batches):
        module(nn.Parameter(random(3, 2, seed=batch, dtype="float32")))
    for name, before in (("running_mean", mean), ("running_var", var)):
        now = getattr(module, name)
        same(without_graph(now), True, of=f"whether {name} is without a graph, after {batches} batches")
        same(now is before, True, of=f"whether {name} is the same Tensor as before")
        same([isinstance(now, nn.Parameter), now.requires_grad], [False, False], of=f"whether {name} is learned")
