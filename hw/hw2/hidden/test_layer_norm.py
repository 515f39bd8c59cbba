"""LayerNorm1d, with care."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import constant
from hw.hw2.tests.test_layer_norm import layer, reference
from hw.testing import hint, same
from needle import nn


@hint("The mean is subtracted before squares are taken: E[x^2] - E[x]^2 loses all digits of float32 here.")
@pytest.mark.parametrize("offset", [1000.0, -3000.0])
def test_large_mean(offset):
    x = (random(3, 8) + offset).astype("float32")
    found = nn.LayerNorm1d(8)(constant(x))
    same(
        found,
        reference(x.astype(float)),
        of=f"LayerNorm1d(8)(x), x about {offset}",
        dtype="float32",
        rtol=0.01,
        atol=0.01,
    )


@hint("All axes but the last are samples.")
@pytest.mark.parametrize("shape", [(2, 3, 4), (4, 4, 4), (2, 1, 3, 2), (5, 1)])
def test_leading_axes(shape):
    x, dim = random(*shape), shape[-1]
    expected = reference(x, random(dim, seed=1), random(dim, seed=2))
    same(layer(dim)(constant(x)), expected, of=f"LayerNorm1d({dim})(x), x of shape {shape}")


@hint("Nothing depends on the mode, and nothing is remembered.")
def test_evaluation_is_the_same():
    x, module = random(3, 4), layer(4)
    first = module(constant(x)).numpy()
    module.training = False
    same(module(constant(x)), first, of="the output in evaluation")
    module(constant(random(3, 4, seed=9)))
    same(module(constant(x)), first, of="the output after another batch was seen")


@hint("float32 in, float32 out; dim and eps are remembered, dtype goes to both parameters.")
def test_dtype_and_attributes():
    module = nn.LayerNorm1d(4, 1e-3)
    same([module.dim, module.eps], [4, 1e-3], of="dim and eps")
    same(module(constant(random(2, 4, dtype="float32"))).dtype, "float32", of="the dtype of the output")
    doubles = nn.LayerNorm1d(4, dtype="float64")
    same([doubles.weight.dtype, doubles.bias.dtype], ["float64", "float64"], of="the dtypes with dtype='float64'")
    same(np.asarray([module.weight.requires_grad, module.bias.requires_grad]), [True, True], of="requires_grad")
