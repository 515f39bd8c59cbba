"""Indexing tensors by NumPy's rules, over random shapes and indices: values, and gradients that add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import needle as ndl
from tests.autograd.graphs import tensor

SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


@st.composite
def shapes_and_basic_indices(draw):
    """A shape, and an index of ints, slices, None and Ellipsis for it."""
    shape = draw(SHAPES)
    return shape, draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))


@st.composite
def shapes_and_integer_arrays(draw):
    """A shape, and an index of integer arrays (with slices between them) for it."""
    shape = draw(SHAPES)
    result = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
    arrays = [draw(hnp.arrays(np.int64, result, elements=st.integers(-n, n - 1))) for n in shape]
    kinds = draw(st.lists(st.booleans(), min_size=1, max_size=len(shape)))
    if not any(kinds):
        kinds[0] = True
    return shape, tuple(array if kind else slice(None, None, -1) for array, kind in zip(arrays, kinds))


def check(shape, index):
    """Compare ``x[index]`` and its gradient, weighted at random, with NumPy's."""
    values = np.arange(np.prod(shape), dtype="float64").reshape(shape)
    x = tensor(values, dtype="float64")
    y = x[index]
    np.testing.assert_array_equal(y.numpy(), values[index])
    weights = np.random.default_rng(0).standard_normal(y.shape)
    y.backward(tensor(weights, dtype="float64"))
    expected = np.zeros(shape)
    np.add.at(expected, index, weights)
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-12, atol=1e-14)
    with ndl.lazy_mode():
        lazy = tensor(values, dtype="float64")[index]
        assert lazy.shape == values[index].shape and lazy.cached_data is None


@settings(max_examples=80, deadline=None)
@given(shapes_and_basic_indices())
def test_by_ints_slices_none_and_ellipsis(case):
    check(*case)


@settings(max_examples=80, deadline=None)
@given(shapes_and_integer_arrays())
def test_by_integer_arrays_and_slices(case):
    check(*case)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_by_masks(data):
    shape = data.draw(SHAPES)
    check(shape, data.draw(hnp.arrays(bool, shape[: data.draw(st.integers(1, len(shape)))])))


@pytest.mark.parametrize("kind", [list, tuple, np.array, ndl.Tensor, lambda i: ndl.Tensor(i).cached_data])
def test_indices_come_as_lists_arrays_tensors_and_floats_that_hold_whole_numbers(kind, device, mode):
    x = tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], device=device)
    index = (slice(None), kind([1, 0, 1])) if kind is not tuple else (slice(None), [1, 0, 1])
    np.testing.assert_array_equal(x[index].numpy(), [[2, 1, 2], [4, 3, 4], [6, 5, 6]])


def test_an_index_that_is_changed_later_does_not_change_the_graph(mode):
    x, index = tensor([1.0, 2.0, 3.0]), np.array([0, 1])
    y = x[index]
    index[:] = 2
    np.testing.assert_array_equal(y.numpy(), [1, 2])
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [1, 1, 0])


def test_reading_by_slices_is_a_view_and_by_arrays_a_copy():
    x = tensor([1.0, 2.0, 3.0])
    shared = np.shares_memory(np.asarray(x[1:].cached_data), np.asarray(x.cached_data))
    copied = np.shares_memory(np.asarray(x[np.array([1, 2])].cached_data), np.asarray(x.cached_data))
    assert shared and not copied
