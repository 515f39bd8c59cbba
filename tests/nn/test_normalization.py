"""Layer and batch normalization."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import needle as ndl
from needle import init, nn
from tests.nn.checks import check_gradients, tensor

RNG = np.random.RandomState(2)


def with_affine(layer, device):
    """Give `layer` a weight and a bias that are not trivial."""
    layer.weight.data = tensor(RNG.rand(*layer.weight.shape) + 0.5, device)
    layer.bias.data = tensor(RNG.randn(*layer.bias.shape), device)
    return layer


def normalized(x, axis, layer, shape=(-1,)):
    mean, var = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
    weight, bias = layer.weight.numpy().reshape(shape), layer.bias.numpy().reshape(shape)
    return weight * (x - mean) / np.sqrt(var + layer.eps) + bias


@pytest.mark.parametrize("layer", [nn.LayerNorm1d, nn.BatchNorm1d, nn.BatchNorm2d])
def test_weights_are_ones_and_biases_zeros_and_nothing_is_drawn(layer, device):
    np.random.seed(1)
    made = layer(4, device=device, dtype="float64")
    following = np.random.rand()
    np.random.seed(1)
    assert following == np.random.rand()
    assert [name for name, _ in made.named_parameters()] == ["weight", "bias"] and made.eps == 1e-5
    assert all(p.dtype == "float64" and p.device == device for p in made.parameters())
    np.testing.assert_array_equal(made.weight.numpy(), np.ones(4))
    np.testing.assert_array_equal(made.bias.numpy(), np.zeros(4))


@pytest.mark.parametrize("shape", [(5, 4), (1, 4), (3, 5, 4), (0, 4)])
def test_layer_norm_normalizes_each_sample(shape, device, mode):
    x = RNG.randn(*shape) * 3 + 1
    layer = with_affine(nn.LayerNorm1d(4, device=device, dtype="float64"), device)
    np.testing.assert_allclose(layer(tensor(x, device)).numpy(), normalized(x, -1, layer), rtol=1e-12, atol=1e-13)


def test_layer_norm_gradients(device, mode):
    layer = with_affine(nn.LayerNorm1d(4, device=device, dtype="float64"), device)
    x = tensor(RNG.randn(3, 4), device)
    check_gradients(lambda: layer(x), x, layer.weight, layer.bias)


def test_a_constant_sample_or_feature_becomes_the_bias(mode):
    x = ndl.Tensor(np.full((3, 4), 7.0), dtype="float32")
    np.testing.assert_array_equal(nn.LayerNorm1d(4)(x).numpy(), np.zeros((3, 4)))
    np.testing.assert_array_equal(nn.BatchNorm1d(4)(x).numpy(), np.zeros((3, 4)))


def test_batch_norm_normalizes_each_feature_over_the_batch(device, mode):
    x = RNG.randn(6, 4) * 3 + 1
    layer = with_affine(nn.BatchNorm1d(4, device=device, dtype="float64"), device)
    np.testing.assert_allclose(layer(tensor(x, device)).numpy(), normalized(x, 0, layer), rtol=1e-12, atol=1e-13)


def test_batch_norm_gradients_in_training_and_evaluation(device, mode):
    layer = with_affine(nn.BatchNorm1d(3, device=device, dtype="float64"), device)
    x = tensor(RNG.randn(5, 3), device)
    check_gradients(lambda: layer(x), x, layer.weight, layer.bias)
    layer.eval()
    check_gradients(lambda: layer(x), x, layer.weight, layer.bias)


@pytest.mark.parametrize("momentum", [0.1, 0.7])
def test_running_estimates_follow_the_biased_batch_statistics(momentum, device, mode):
    layer = nn.BatchNorm1d(4, momentum=momentum, device=device, dtype="float64")
    mean, var = np.zeros(4), np.ones(4)
    for _ in range(5):
        x = RNG.randn(6, 4) * 2 + 3
        layer(tensor(x, device))
        mean = (1 - momentum) * mean + momentum * x.mean(0)
        var = (1 - momentum) * var + momentum * x.var(0)
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-13)
    np.testing.assert_allclose(layer.running_var.numpy(), var, rtol=1e-13)


def test_evaluation_uses_the_running_estimates_and_leaves_them(device, mode):
    layer = with_affine(nn.BatchNorm1d(4, device=device, dtype="float64"), device)
    layer(tensor(RNG.randn(6, 4) + 2, device))
    mean, var = layer.running_mean.numpy(), layer.running_var.numpy()
    layer.eval()
    x = RNG.randn(1, 4)
    expected = layer.weight.numpy() * (x - mean) / np.sqrt(var + 1e-5) + layer.bias.numpy()
    np.testing.assert_allclose(layer(tensor(x, device)).numpy(), expected, rtol=1e-12)
    np.testing.assert_array_equal(layer.running_mean.numpy(), mean)
    np.testing.assert_array_equal(layer.running_var.numpy(), var)


def test_running_estimates_keep_their_dtype_whatever_the_input_has(device, mode):
    layer, x = nn.BatchNorm1d(4, device=device), RNG.randn(6, 4) + 3
    y = layer(tensor(x, device))
    assert y.dtype == "float64" and layer.running_mean.dtype == layer.running_var.dtype == "float32"
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.1 * x.mean(0), rtol=1e-6)
    np.testing.assert_allclose(layer.running_var.numpy(), 0.9 + 0.1 * x.var(0), rtol=1e-6)


def test_running_estimates_keep_no_graph(mode):
    layer = nn.BatchNorm1d(4)
    x = ndl.Tensor(RNG.randn(6, 4), dtype="float32")
    layer(x)
    gc.collect()
    before = ndl.autograd.TENSOR_COUNTER
    for _ in range(10):
        layer(x)
    assert before == ndl.autograd.TENSOR_COUNTER
    for running in (layer.running_mean, layer.running_var):
        assert running.is_leaf() and not running.requires_grad and running.dtype == "float32"


def test_batch_norm_2d_normalizes_each_channel_over_batch_and_pixels(device, mode):
    x = RNG.randn(3, 2, 4, 5) * 2 - 1
    layer = with_affine(nn.BatchNorm2d(2, device=device, dtype="float64"), device)
    expected = normalized(x, (0, 2, 3), layer, shape=(1, 2, 1, 1))
    np.testing.assert_allclose(layer(tensor(x, device)).numpy(), expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.1 * x.mean((0, 2, 3)), rtol=1e-13)
    np.testing.assert_allclose(layer.running_var.numpy(), 0.9 + 0.1 * x.var((0, 2, 3)), rtol=1e-13)


def test_shapes_that_do_not_fit_are_named(mode):
    with pytest.raises(ValueError, match=r"LayerNorm1d: the input must have shape \(\.\.\., 4\); got \(2, 3\)"):
        nn.LayerNorm1d(4)(init.ones(2, 3))
    with pytest.raises(ValueError, match=r"BatchNorm1d: the input must have shape \(batch, 4\); got \(2, 3, 4\)"):
        nn.BatchNorm1d(4)(init.ones(2, 3, 4))
    with pytest.raises(ValueError, match=r"BatchNorm2d: the input must have shape \(batch, 4, h, w\); got \(2, 4\)"):
        nn.BatchNorm2d(4)(init.ones(2, 4))
