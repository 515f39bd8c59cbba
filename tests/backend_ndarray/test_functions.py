"""The functions of arrays under NumPy's names: joining, choosing, padding, one-hot rows."""

from __future__ import annotations

import numpy as np
import pytest

import needle.backend_ndarray as nd
from tests.backend_ndarray.test_ndarray import DEVICES, draws, pair, same


@pytest.fixture(params=DEVICES, ids=str)
def device(request):
    """Every device of Needle's arrays."""
    return request.param


@pytest.mark.parametrize(("shape", "axis"), [((3,), 0), ((2, 3), 1), ((2, 3), -1), ((), 0), ((0, 2), 2)])
def test_stack(shape, axis, device):
    arrays = [pair(draws(*shape, seed=seed), device) for seed in range(3)]
    same(nd.stack([a for a, _ in arrays], axis), np.stack([x for _, x in arrays], axis))


@pytest.mark.parametrize(("shapes", "axis"), [([(2,), (3,)], 0), ([(2, 1), (2, 0), (2, 3)], 1), ([(1, 2), (2, 2)], -2)])
def test_concatenate(shapes, axis, device):
    arrays = [pair(draws(*shape), device) for shape in shapes]
    same(nd.concatenate([a for a, _ in arrays], axis), np.concatenate([x for _, x in arrays], axis))


def test_joining_promotes_dtypes(device):
    a, b = nd.array([1], dtype="int32", device=device), nd.array([1.5], dtype="float64", device=device)
    assert nd.concatenate([a, b]).dtype == nd.stack([a, b]).dtype == "float64"


def test_joining_misfits_names_the_function_and_the_shapes(device):
    a, b = nd.zeros((2, 3), device=device), nd.zeros((3, 3), device=device)
    with pytest.raises(ValueError, match=r"concatenate: .*\(2, 3\).*\(3, 3\)"):
        nd.concatenate([a, b], 1)
    with pytest.raises(ValueError, match=r"stack: .*\(2, 3\).*\(3, 3\)"):
        nd.stack([a, b])
    with pytest.raises(np.exceptions.AxisError, match="stack: axis 3"):
        nd.stack([a, a], 3)
    for function in (nd.stack, nd.concatenate):
        with pytest.raises(ValueError, match=f"{function.__name__}: .*at least one"):
            function([])


@pytest.mark.parametrize(
    ("indices", "axis"), [([2, 0, 2], 0), ([[1, -1], [0, 0]], 1), ([5, -6], None), ([], 0), (1, 0)]
)
def test_take(indices, axis, device):
    a, x = pair(draws(3, 2), device)
    same(nd.take(a, np.array(indices, dtype=int), axis), np.take(x, np.array(indices, dtype=int), axis))
    same(nd.take(a.T, np.array(indices, dtype=int) % 2, axis), np.take(x.T, np.array(indices, dtype=int) % 2, axis))


def test_take_accepts_floats_that_hold_whole_numbers_and_no_others(device):
    a, x = pair(draws(3), device)
    same(nd.take(a, nd.array([2.0, 0.0], device=device), 0), x[[2, 0]])
    with pytest.raises(IndexError, match=r"whole numbers.*0\.5"):
        nd.take(a, np.array([0.5]), 0)


@pytest.mark.parametrize("wrong", [3, -4])
def test_take_outside_the_axis_is_an_index_error(wrong, device):
    with pytest.raises(IndexError, match=f"index {wrong} is out of bounds for an axis of extent 3"):
        nd.take(nd.zeros((3, 2), device=device), np.array([0, wrong]), 0)


def test_add_at_adds_repeated_indices_up(device):
    a, x = pair(np.zeros(4, "float32"), device)
    indices, values = np.array([1, 3, 1, -1]), np.array([1.0, 2.0, 3.0, 4.0], "float32")
    nd.add.at(a, indices, nd.array(values, device=device))
    np.add.at(x, indices, values)
    same(a, x)
    b = nd.zeros((3, 2), device=device)
    nd.add.at(b, np.array([2, 2]), nd.ones((2, 2), device=device))
    assert b.numpy().tolist() == [[0, 0], [0, 0], [2, 2]]


@pytest.mark.parametrize(
    ("condition", "left", "right"), [((3,), (3,), (3,)), ((2, 1), (3,), (1, 3)), ((2, 3), (), ()), ((0, 3), (3,), ())]
)
def test_where(condition, left, right, device):
    c, z = pair(draws(*condition).round(), device)
    a, x = pair(draws(*left, seed=1), device)
    b, y = pair(draws(*right, seed=2), device)
    same(nd.where(c, a, b), np.where(z != 0, x, y))
    same(nd.where(c > 0, a, 2.5), np.where(z > 0, x, np.float32(2.5)))
    same(nd.where(c > 0, 1, b), np.where(z > 0, np.float32(1), y))
    same(nd.where(c > 0, 1, 0), np.where(z > 0, np.float32(1), np.float32(0)))


def test_where_takes_nothing_from_what_is_not_chosen(device):
    nan = nd.full((2,), float("nan"), device=device)
    assert nd.where(nd.array([1, 1], device=device), 3.0, nan).numpy().tolist() == [3, 3]


@pytest.mark.parametrize("indices", [[0, 2, 1], [[1], [0]], 2, [], [2.0, 1.0]])
def test_one_hot(indices, device):
    given = nd.one_hot(3, np.array(indices), device=device)
    same(given, np.eye(3, dtype="float32")[np.array(indices).astype(int)])
    same(device.one_hot(3, np.array(indices)), given.numpy())
    for dtype in ("float32", "uint8"):
        same(nd.one_hot(3, nd.array(indices, dtype=dtype, device=device)), given.numpy())


@pytest.mark.parametrize("wrong", [3, -1, 0.5, float("nan")])
def test_one_hot_of_what_is_no_class_is_an_index_error(wrong, device):
    with pytest.raises(IndexError):
        nd.one_hot(3, np.array([0, wrong]), device=device)


def test_pad(device):
    a, x = pair(draws(2, 3), device)
    for axes in [((0, 0), (1, 2)), ((1, 0), (0, 0)), ((2, 2), (1, 1)), ((0, 0), (0, 0))]:
        same(a.pad(axes), np.pad(x, axes))
    same(a.T.pad(((1, 1), (0, 2))), np.pad(x.T, ((1, 1), (0, 2))))


def test_functions_of_shape_are_the_methods(device):
    a, x = pair(draws(2, 3, 4), device)
    for given, expected in [
        (nd.reshape(a, (4, -1)), x.reshape(4, -1)),
        (nd.transpose(a), x.T),
        (nd.transpose(a, (1, 0, 2)), x.transpose(1, 0, 2)),
        (nd.broadcast_to(a, (2, 2, 3, 4)), np.broadcast_to(x, (2, 2, 3, 4))),
        (nd.flip(a, 1), np.flip(x, 1)),
    ]:
        same(given, expected)


def test_array_api_is_what_both_array_libraries_have():
    for name in nd.ARRAY_API:
        for library in (nd, np):
            value = library
            for part in name.split("."):
                value = getattr(value, part)
            assert callable(value)
