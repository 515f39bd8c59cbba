"""BatchNorm1d, with care."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import constant, fill, gradients
from hw.hw2.tests.test_batch_norm import layer, reference
from hw.testing import hint, same
from needle import nn


@hint("The mean is subtracted before squares are taken: E[x^2] - E[x]^2 loses all digits of float32 here.")
@pytest.mark.parametrize("offset", [1000.0, -3000.0])
def test_large_mean(offset):
    x = (random(8, 3) + offset).astype("float32")
    module = nn.BatchNorm1d(3)
    found = module(constant(x))
    same(
        found,
        reference(x.astype(float)),
        of=f"BatchNorm1d(3)(x), x about {offset}",
        rtol=0.01,
        atol=0.01,
        dtype="float32",
    )
    same(module.running_var, 0.9 + 0.1 * x.astype(float).var(0), of="running_var", rtol=0.01, dtype="float32")


@hint("eps, momentum, dtype: given to the constructor, and remembered.")
def test_options():
    module = nn.BatchNorm1d(2, 0.5, 0.3, dtype="float64")
    x = random(3, 2)
    same(module(constant(x)), reference(x, eps=0.5), of="the output with eps=0.5")
    same(module.running_mean, 0.3 * x.mean(0), of="running_mean with momentum=0.3", dtype="float64")
    same([module.dim, module.eps, module.momentum], [2, 0.5, 0.3], of="dim, eps, momentum")
    same(module.weight.dtype, "float64", of="weight.dtype")


@hint("A constant column, a batch of one: the deviations are 0, and so is the gradient of x.")
@pytest.mark.parametrize("n", [1, 3])
def test_constant_columns(n):
    module = layer(2)
    X = nn.Parameter(np.full((n, 2), 7.0))  # noqa: N806
    y = module(X)
    same(y, np.tile(module.bias.numpy(), (n, 1)), of="the output for a constant column")
    same(gradients(y, np.ones((n, 2)), [X])[0], np.zeros((n, 2)), of="the gradient of x")


@hint("Nothing that hangs on a batch stays alive when the batch is let go.")
def test_batches_are_let_go():
    module = nn.BatchNorm1d(2)
    made = []
    for batch in range(5):
        y = module(nn.Parameter(random(3, 2, seed=batch, dtype="float32")))
        y.sum().backward()
        made.append(weakref.ref(y))
        del y
    gc.collect()
    same(sum(each() is not None for each in made), 0, of="how many outputs are alive")


@hint(
    "The estimates are no part of the graph: the output depends on x by mean and variance alone, twice called as well."
)
def test_two_batches_in_one_graph():
    module, x, z = layer(2), random(3, 2), random(3, 2, seed=8)
    X, Z = nn.Parameter(x), nn.Parameter(z)  # noqa: N806
    first, second = module(X), module(Z)
    w, b = module.weight.numpy(), module.bias.numpy()
    same(first, reference(x, w, b), of="the first output")
    same(second, reference(z, w, b), of="the second output")
    g = random(3, 2, seed=5)
    alone = gradients(layer(2)(X), g, [X])[0]
    same(gradients(first + second, g, [X])[0], alone, of="the gradient of the first batch")


@hint("A batch in evaluation between two batches of training changes nothing; nor does it change weight and bias.")
def test_modes_alternate():
    module = layer(2)
    x, z = random(3, 2), random(5, 2, seed=6)
    module(constant(x))
    module.training = False
    module(constant(z))
    module.training = True
    module(constant(z))
    mean = 0.9 * (0.1 * x.mean(0)) + 0.1 * z.mean(0)
    var = 0.9 * (0.9 + 0.1 * x.var(0)) + 0.1 * z.var(0)
    same(module.running_mean, mean, of="running_mean")
    same(module.running_var, var, of="running_var")
    same(module.weight, random(2, seed=1), of="weight, afterwards")


@hint("BatchNorm2d, below in the same file, is built on BatchNorm1d: each channel over batch, rows and columns.")
@pytest.mark.parametrize("training", [True, False])
def test_images(training):
    module = nn.BatchNorm2d(3, dtype="float64")
    fill(module.weight, random(3, seed=1))
    module.training = training
    x = random(2, 3, 4, 5)
    pixels = x.transpose(0, 2, 3, 1).reshape(-1, 3)
    seen = {} if training else {"mean": 0.0, "var": 1.0}
    expected = reference(pixels, random(3, seed=1), **seen).reshape(2, 4, 5, 3).transpose(0, 3, 1, 2)
    same(module(constant(x)), expected, of="BatchNorm2d(3)(x)")
    same(module.running_mean, 0.1 * pixels.mean(0) * training, of="running_mean")
