"""Linear maps, activations, flattening and dropout."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

import needle as ndl
from needle import init, nn
from tests.nn.checks import check_gradients, tensor

RNG = np.random.RandomState(0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_linear_draws_its_weight_and_then_its_bias(dtype, device, mode):
    np.random.seed(2)
    layer = nn.Linear(5, 3, device=device, dtype=dtype)
    np.random.seed(2)
    weight_bound, bias_bound = math.sqrt(2) * math.sqrt(3 / 5), math.sqrt(2) * math.sqrt(3 / 3)
    weight = np.random.rand(5, 3) * (2 * weight_bound) - weight_bound
    bias = np.random.rand(3, 1) * (2 * bias_bound) - bias_bound
    assert layer.weight.shape == (5, 3) and layer.bias.shape == (1, 3)
    assert all(p.dtype == dtype and p.device == device for p in layer.parameters())
    np.testing.assert_array_equal(layer.weight.numpy(), weight.astype(dtype))
    np.testing.assert_array_equal(layer.bias.numpy(), bias.reshape(1, 3).astype(dtype))


def test_linear_without_bias_draws_only_its_weight():
    np.random.seed(2)
    layer = nn.Linear(5, 3, bias=False)
    following = np.random.rand()
    np.random.seed(2)
    np.random.rand(5, 3)
    assert following == np.random.rand()
    assert layer.bias is None and layer.parameters() == [layer.weight]


@pytest.mark.parametrize("shape", [(4, 5), (1, 5), (2, 4, 5), (2, 1, 3, 5), (0, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_an_affine_map_of_the_last_axis(shape, bias, device, mode):
    layer = nn.Linear(5, 3, bias=bias, device=device, dtype="float64")
    x = RNG.randn(*shape)
    expected = x @ layer.weight.numpy() + (layer.bias.numpy() if bias else 0)
    given = layer(tensor(x, device))
    assert given.shape == (*shape[:-1], 3) and given.dtype == "float64"
    np.testing.assert_allclose(given.numpy(), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 5)])
def test_linear_gradients(shape, device, mode):
    layer = nn.Linear(5, 3, device=device, dtype="float64")
    x = tensor(RNG.randn(*shape), device)
    check_gradients(lambda: layer(x), layer.weight, layer.bias, x)


def test_the_bias_enters_the_graph_through_a_visible_broadcast():
    layer = nn.Linear(5, 3)
    y = layer(init.ones(4, 5))
    assert [type(node.op).__name__ for node in (y, *y.inputs)] == ["EWiseAdd", "MatMul", "BroadcastTo"]
    assert y.inputs[1].inputs == (layer.bias,) or list(y.inputs[1].inputs) == [layer.bias]


@pytest.mark.parametrize("shape", [(4, 6), (5,), ()])
def test_linear_names_the_shape_it_needs(shape, mode):
    with pytest.raises(ValueError, match=r"Linear: the input must have shape \(\.\.\., 5\); got \("):
        nn.Linear(5, 3)(init.ones(*shape))


def test_flatten_keeps_the_batch_and_merges_the_rest(device, mode):
    x = RNG.randn(2, 3, 4, 5)
    np.testing.assert_array_equal(nn.Flatten()(tensor(x, device)).numpy(), x.reshape(2, 60))
    assert nn.Flatten()(init.ones(7, device=device)).shape == (7, 1)
    assert nn.Flatten()(init.ones(0, 3, 4, device=device)).shape == (0, 12)
    with pytest.raises(ValueError, match=r"Flatten: .* 0-d"):
        nn.Flatten()(init.ones())


def test_identity_gives_its_input():
    x = init.ones(2)
    assert nn.Identity()(x) is x


@pytest.mark.parametrize(
    ("layer", "reference"),
    [(nn.ReLU(), lambda x: np.maximum(x, 0)), (nn.Sigmoid(), special.expit), (nn.Tanh(), np.tanh)],
    ids=["ReLU", "Sigmoid", "Tanh"],
)
def test_activations_and_their_gradients(layer, reference, device, mode):
    x = np.concatenate([RNG.randn(20), [-800.0, -30.0, 30.0, 800.0]]).reshape(4, 6)
    np.testing.assert_allclose(layer(tensor(x, device)).numpy(), reference(x), rtol=1e-12, atol=1e-300)
    check_gradients(lambda: layer(y), y := tensor(x, device))


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_dropout_keeps_what_randb_keeps_and_rescales_it(p, device, mode):
    x = RNG.randn(20, 10)
    np.random.seed(6)
    given = nn.Dropout(p)(tensor(x, device))
    np.random.seed(6)
    mask = np.random.rand(20, 10) <= 1 - p
    assert given.dtype == "float64"
    np.testing.assert_allclose(given.numpy(), x * mask / (1 - p), rtol=1e-15)


def test_dropout_gradient_is_the_rescaled_mask(device, mode):
    x = tensor(RNG.randn(20, 10), device)
    np.random.seed(6)
    nn.Dropout(0.3)(x).sum().backward()
    np.random.seed(6)
    np.testing.assert_allclose(x.grad.numpy(), (np.random.rand(20, 10) <= 1 - 0.3) / (1 - 0.3), rtol=1e-15)


def test_dropout_keeps_the_expectation_and_the_share_of_zeros():
    np.random.seed(0)
    y = nn.Dropout(0.3)(init.ones(500, 400)).numpy()
    assert y.mean() == pytest.approx(1, abs=0.01)
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.01)


def test_dropout_in_evaluation_gives_its_input_and_draws_nothing():
    x = init.ones(3, 4)
    np.random.seed(6)
    assert nn.Dropout(0.5).eval()(x) is x
    following = np.random.rand()
    np.random.seed(6)
    assert following == np.random.rand()


def test_dropout_drops_half_by_default_and_rejects_what_is_no_probability():
    assert nn.Dropout().p == 0.5
    for p in (-0.1, 1.0, 1.5):
        with pytest.raises(ValueError, match=f"Dropout: p must be a probability .*; got {p}"):
            nn.Dropout(p)


def test_layers_keep_the_dtype_of_a_float32_model(device):
    x = init.rand(4, 6, device=device)
    model = nn.Sequential(
        nn.Linear(6, 5, device=device), nn.LayerNorm1d(5, device=device), nn.Tanh(), nn.Dropout(0.2), nn.Sigmoid()
    )
    y = model(x)
    assert y.dtype == "float32"
    (y * y).sum().backward()
    assert all(isinstance(p.grad, ndl.Tensor) and p.grad.dtype == "float32" for p in model.parameters())
