"""Initial weights: Xavier and Kaiming."""

from __future__ import annotations

import numpy as np
import pytest

from hw.hw2.tests.checks import drawing
from hw.testing import hint, same
from needle import init

FANS = [(1, 1), (3, 2), (2, 5), (4, 4)]


def uniform(bound, *shape, seed=7):
    return np.random.RandomState(seed).rand(*shape) * 2 * bound - bound


def normal(std, *shape, seed=7):
    return np.random.RandomState(seed).randn(*shape) * std


@hint("U(-a, a) with a = gain * sqrt(6 / (fan_in + fan_out)): rand(..., low=-a, high=a).")
@pytest.mark.parametrize(("fan_in", "fan_out"), FANS)
def test_xavier_uniform(fan_in, fan_out):
    drawing(7)
    found = init.xavier_uniform(fan_in, fan_out)
    a = np.sqrt(6 / (fan_in + fan_out))
    shape = fan_in, fan_out
    mistakes = {
        "the 6 is a 2: a is the bound, not the standard deviation": uniform(np.sqrt(2 / sum(shape)), *shape),
        "the 6 is a 3": uniform(np.sqrt(3 / sum(shape)), *shape),
        "the square root is missing": uniform(a * a, *shape),
        "all draws are above 0: low is missing": (uniform(a, *shape) + a) / 2,
        "fan_out is missing": uniform(np.sqrt(6 / fan_in), *shape),
        "it is drawn from a normal distribution": normal(a, *shape),
    }
    same(found, uniform(a, *shape), of=f"xavier_uniform({fan_in}, {fan_out})", mistakes=mistakes)


@hint("N(0, std^2) with std = gain * sqrt(2 / (fan_in + fan_out)): randn(..., std=std).")
@pytest.mark.parametrize(("fan_in", "fan_out"), FANS)
def test_xavier_normal(fan_in, fan_out):
    drawing(7)
    found = init.xavier_normal(fan_in, fan_out)
    shape = fan_in, fan_out
    std = np.sqrt(2 / (fan_in + fan_out))
    mistakes = {
        "the 2 is a 6: that is for the uniform one": normal(np.sqrt(6 / sum(shape)), *shape),
        "std is the variance: the square root is missing": normal(std * std, *shape),
        "fan_out is missing": normal(np.sqrt(2 / fan_in), *shape),
        "it is drawn from a uniform distribution": uniform(std, *shape),
    }
    same(found, normal(std, *shape), of=f"xavier_normal({fan_in}, {fan_out})", mistakes=mistakes)


@hint("U(-b, b) with b = gain * sqrt(3 / fan_in), and the gain of relu is sqrt(2).")
@pytest.mark.parametrize(("fan_in", "fan_out"), FANS)
def test_kaiming_uniform(fan_in, fan_out):
    drawing(7)
    found = init.kaiming_uniform(fan_in, fan_out)
    shape = fan_in, fan_out
    b = np.sqrt(2) * np.sqrt(3 / fan_in)
    mistakes = {
        "the gain is missing": uniform(np.sqrt(3 / fan_in), *shape),
        "the gain is 2, not its root": uniform(2 * np.sqrt(3 / fan_in), *shape),
        "fan_out stands for fan_in": uniform(np.sqrt(6 / fan_out), *shape),
        "fan_in + fan_out stands for fan_in": uniform(np.sqrt(6 / sum(shape)), *shape),
        "b is the standard deviation, not the bound": uniform(np.sqrt(2 / fan_in), *shape),
        "all draws are above 0: low is missing": (uniform(b, *shape) + b) / 2,
    }
    same(found, uniform(b, *shape), of=f"kaiming_uniform({fan_in}, {fan_out})", mistakes=mistakes)


@hint("N(0, std^2) with std = gain / sqrt(fan_in), and the gain of relu is sqrt(2).")
@pytest.mark.parametrize(("fan_in", "fan_out"), FANS)
def test_kaiming_normal(fan_in, fan_out):
    drawing(7)
    found = init.kaiming_normal(fan_in, fan_out)
    shape = fan_in, fan_out
    mistakes = {
        "the gain is missing": normal(1 / np.sqrt(fan_in), *shape),
        "fan_out stands for fan_in": normal(np.sqrt(2 / fan_out), *shape),
        "std is the variance": normal(2 / fan_in, *shape),
        "it is divided by fan_in, not by its root": normal(np.sqrt(2) / fan_in, *shape),
        "the 3 is for the uniform one": normal(np.sqrt(6 / fan_in), *shape),
    }
    same(found, normal(np.sqrt(2 / fan_in), *shape), of=f"kaiming_normal({fan_in}, {fan_out})", mistakes=mistakes)


@hint(
    "The shape is (fan_in, fan_out) unless `shape` says otherwise; `gain` is a factor; the rest goes on to rand, randn."
)
@pytest.mark.parametrize("shape", [None, (1, 4), (2, 2, 3)])
def test_arguments(shape):
    drawing(7)
    wanted = shape or (6, 4)
    found = {
        "xavier_uniform": init.xavier_uniform(6, 4, gain=2.0, shape=shape),
        "xavier_normal": init.xavier_normal(6, 4, gain=0.5, shape=shape),
        "kaiming_uniform": init.kaiming_uniform(6, 4, shape=shape, dtype="float64"),
        "kaiming_normal": init.kaiming_normal(6, 4, shape=shape, requires_grad=True),
    }
    draw = np.random.RandomState(7)
    expected = {
        "xavier_uniform": (draw.rand(*wanted) * 2 - 1) * 2 * np.sqrt(0.6),
        "xavier_normal": draw.randn(*wanted) * 0.5 * np.sqrt(0.2),
        "kaiming_uniform": draw.rand(*wanted) * 2 - 1,
        "kaiming_normal": draw.randn(*wanted) * np.sqrt(2 / 6),
    }
    dtypes = ["float32", "float32", "float64", "float32"]
    for name, dtype in zip(expected, dtypes):
        of = f"{name}(6, 4, ...), drawn one after another"
        same(found[name], expected[name], of=of, given={"shape": str(shape)}, dtype=dtype)
    same(found["kaiming_normal"].requires_grad, True, of="kaiming_normal(..., requires_grad=True).requires_grad")
