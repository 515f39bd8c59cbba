"""Constants, random draws and one-hot rows."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from needle import init

SHAPES = [(), (3,), (2, 3, 4), (0, 5)]


def draw(function, *shape, **kwargs):
    np.random.seed(11)
    return function(*shape, **kwargs)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rand_is_numpys_draw_scaled_in_float64_and_then_cast(shape, dtype, device, mode):
    given = draw(init.rand, *shape, low=-0.3, high=0.7, device=device, dtype=dtype)
    np.random.seed(11)
    expected = (np.random.rand(*shape) * (0.7 - -0.3) + -0.3) * np.ones(shape)
    assert given.shape == shape and given.dtype == dtype and given.device == device
    np.testing.assert_array_equal(given.numpy(), expected.astype(dtype))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_randn_is_numpys_draw_scaled_in_float64_and_then_cast(shape, dtype, device, mode):
    given = draw(init.randn, *shape, mean=2.0, std=0.1, device=device, dtype=dtype)
    np.random.seed(11)
    expected = (np.random.randn(*shape) * 0.1 + 2.0) * np.ones(shape)
    assert given.shape == shape and given.dtype == dtype
    np.testing.assert_array_equal(given.numpy(), expected.astype(dtype))


@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
def test_randb_is_true_where_numpys_draw_is_at_most_p(p, device, mode):
    given = draw(init.randb, 50, 4, p=p, device=device)
    np.random.seed(11)
    assert given.dtype == "bool"
    np.testing.assert_array_equal(given.numpy(), np.random.rand(50, 4) <= p)


def test_randb_counts_a_draw_equal_to_p(monkeypatch):
    monkeypatch.setattr(np.random, "rand", lambda *shape: np.full(shape, 0.5))
    assert init.randb(3, p=0.5).numpy().all()


def test_randb_gives_zeros_and_ones_in_a_float_dtype():
    given = draw(init.randb, 100, p=0.5, dtype="float32")
    assert given.dtype == "float32"
    assert set(given.numpy().tolist()) == {0.0, 1.0}


def test_default_draws_are_standard():
    np.testing.assert_array_equal(draw(init.rand, 5).numpy(), draw(np.random.rand, 5).astype("float32"))
    np.testing.assert_array_equal(draw(init.randn, 5).numpy(), draw(np.random.randn, 5).astype("float32"))


def test_each_tensor_takes_one_draw_when_it_is_made(mode):
    np.random.seed(3)
    a, b, c = init.rand(2, 3), init.randn(4), init.randb(5)
    following = np.random.rand()
    np.random.seed(3)
    expected = [np.random.rand(2, 3), np.random.randn(4), np.random.rand(5) <= 0.5, np.random.rand()]
    for given, reference in zip([c, b, a], expected[2::-1]):
        np.testing.assert_array_equal(given.numpy(), reference.astype(given.dtype))
    assert following == expected[3]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8", "bool"])
def test_constants_in_every_dtype(shape, dtype, device, mode):
    for given, value in [
        (init.constant(*shape, c=7, device=device, dtype=dtype), 7),
        (init.ones(*shape, device=device, dtype=dtype), 1),
        (init.zeros(*shape, device=device, dtype=dtype), 0),
    ]:
        assert given.shape == shape and given.dtype == dtype and given.device == device
        np.testing.assert_array_equal(given.numpy(), np.full(shape, value, dtype=dtype))


def test_constant_is_one_by_default():
    np.testing.assert_array_equal(init.constant(2, 3).numpy(), np.ones((2, 3), dtype="float32"))


def test_likes_take_shape_and_device_of_their_model(device, mode):
    like = init.rand(2, 3, device=device, dtype="float64")
    for given, value in [(init.ones_like(like), 1), (init.zeros_like(like), 0)]:
        assert given.shape == (2, 3) and given.dtype == "float32" and given.device == device
        np.testing.assert_array_equal(given.numpy(), np.full((2, 3), value))
    assert init.ones_like(like, dtype="float64").dtype == "float64"
    assert init.zeros_like(like, requires_grad=True).requires_grad


@pytest.mark.parametrize("function", [init.rand, init.randn, init.constant, init.ones, init.zeros])
def test_gradients_are_required_only_when_asked_for(function):
    assert not function(2).requires_grad
    given = function(2, requires_grad=True)
    assert given.requires_grad and given.is_leaf() and given.dtype == "float32"


@pytest.mark.parametrize("function", [init.rand, init.randn, init.randb, init.constant, init.ones, init.zeros])
def test_a_shape_is_separate_ints_of_at_least_zero(function):
    name = function.__name__ if function not in (init.ones, init.zeros) else "constant"
    with pytest.raises(TypeError, match=rf"{name}: .* as in {name}\(3, 4\); got \(2, 3\)"):
        function((2, 3))
    with pytest.raises(ValueError, match=f"{name}: an extent is at least 0"):
        function(2, -1)


@pytest.mark.parametrize(
    "indices",
    [
        [2, 0, 2],
        (1, 1),
        np.array([0, 3], dtype=np.uint8),
        np.array([[3.0, 1.0], [0.0, 2.0]]),
        np.int64(3),
        1,
        [],
    ],
)
def test_one_hot_rows_are_rows_of_the_identity(indices, device, mode):
    given = init.one_hot(4, indices, device=device)
    expected = np.eye(4, dtype="float32")[np.asarray(indices).astype(int)]
    assert given.shape == expected.shape and given.dtype == "float32" and given.device == device
    np.testing.assert_array_equal(given.numpy(), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8"])
def test_one_hot_of_a_tensor_stays_on_its_device(dtype, device, mode):
    labels = ndl.Tensor(np.array([1, 0, 2]), device=device, dtype=dtype, requires_grad=False)
    given = init.one_hot(3, labels, dtype="float64")
    assert given.device == device and given.dtype == "float64"
    np.testing.assert_array_equal(given.numpy(), np.eye(3)[[1, 0, 2]])


@pytest.mark.parametrize("wrong", [4, -1, 1.5, float("nan"), float("inf")])
def test_one_hot_names_an_index_that_is_no_class(wrong):
    with pytest.raises(IndexError, match=rf"index {wrong} \(at position 1\) is not one of the 4 .* from 0 to 3"):
        init.one_hot(4, np.array([0.0, wrong]) if isinstance(wrong, float) else np.array([0, wrong]))
