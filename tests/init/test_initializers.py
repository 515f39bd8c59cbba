"""Xavier and Kaiming initialization: the published formulas, drawn by NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from needle import init


def drawn(function, *args, **kwargs):
    np.random.seed(5)
    return function(*args, **kwargs)


def uniform(bound, shape):
    np.random.seed(5)
    return np.random.rand(*shape) * (2 * bound) - bound


def normal(std, shape):
    np.random.seed(5)
    return np.random.randn(*shape) * std


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_initializer_is_its_formula(dtype, device, mode):
    kwargs = {"device": device, "dtype": dtype}
    for given, expected in [
        (drawn(init.xavier_uniform, 3, 5, gain=1.5, **kwargs), uniform(1.5 * math.sqrt(6 / 8), (3, 5))),
        (drawn(init.xavier_normal, 3, 5, gain=1.5, **kwargs), normal(1.5 * math.sqrt(2 / 8), (3, 5))),
        (drawn(init.kaiming_uniform, 3, 5, **kwargs), uniform(math.sqrt(2) * math.sqrt(3 / 3), (3, 5))),
        (drawn(init.kaiming_normal, 3, 5, **kwargs), normal(math.sqrt(2) / math.sqrt(3), (3, 5))),
    ]:
        assert given.shape == (3, 5) and given.dtype == dtype and given.device == device
        np.testing.assert_array_equal(given.numpy(), expected.astype(dtype))


def test_gain_is_one_by_default():
    np.testing.assert_array_equal(
        drawn(init.xavier_uniform, 3, 5, dtype="float64").numpy(), uniform(math.sqrt(6 / 8), (3, 5))
    )
    np.testing.assert_array_equal(
        drawn(init.xavier_normal, 3, 5, dtype="float64").numpy(), normal(math.sqrt(2 / 8), (3, 5))
    )


@pytest.mark.parametrize(
    "function", [init.xavier_uniform, init.xavier_normal, init.kaiming_uniform, init.kaiming_normal]
)
def test_a_shape_replaces_the_fans_as_shape_but_not_in_the_formula(function):
    shape = (3, 3, 2, 7)
    given = drawn(function, 18, 63, shape=shape, dtype="float64", requires_grad=True)
    assert given.shape == shape and given.requires_grad
    flat = drawn(function, 18, 63, shape=(3 * 3 * 2 * 7,), dtype="float64")
    np.testing.assert_array_equal(given.numpy().reshape(-1), flat.numpy())


def test_xavier_variance_is_two_over_the_sum_of_the_fans():
    for function in (init.xavier_uniform, init.xavier_normal):
        assert drawn(function, 300, 500).numpy().var() == pytest.approx(2 / 800, rel=0.02)


def test_kaiming_variance_is_two_over_fan_in():
    for function in (init.kaiming_uniform, init.kaiming_normal):
        assert drawn(function, 300, 500).numpy().var() == pytest.approx(2 / 300, rel=0.02)


def test_kaiming_keeps_the_second_moment_through_deep_relu_layers():
    np.random.seed(0)
    x = np.random.randn(64, 256)
    before = (x**2).mean()
    for _ in range(30):
        x = np.maximum(x @ init.kaiming_normal(256, 256, dtype="float64").numpy(), 0)
    assert 0.1 < (x**2).mean() / before < 10


@pytest.mark.parametrize(("nonlinearity", "gain"), [("linear", 1), ("sigmoid", 1), ("tanh", 5 / 3)])
def test_kaiming_knows_the_gains_of_other_activations(nonlinearity, gain):
    given = drawn(init.kaiming_normal, 4, 6, nonlinearity=nonlinearity, dtype="float64")
    np.testing.assert_allclose(given.numpy(), normal(gain / 2, (4, 6)), rtol=1e-15)


def test_errors_name_the_initializer_and_the_argument():
    with pytest.raises(ValueError, match=r"kaiming_uniform: nonlinearity must be one of .*'relu'.*; got 'swish'"):
        init.kaiming_uniform(3, 5, nonlinearity="swish")
    with pytest.raises(ValueError, match="kaiming_normal: fan_in must be positive; got 0"):
        init.kaiming_normal(0, 5)
    with pytest.raises(ValueError, match="xavier_uniform: fan_in and fan_out must be positive; got -1 and 5"):
        init.xavier_uniform(-1, 5)
    with pytest.raises(ValueError, match="xavier_normal: fan_in and fan_out must be positive; got 0 and 0"):
        init.xavier_normal(0, 0)
