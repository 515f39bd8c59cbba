"""Copying and pickling tensors: the data comes along, the graph stays behind."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import needle as ndl
import needle.nn as nn
from tests.autograd.graphs import tensor

COPIES = [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]


@pytest.mark.parametrize("duplicate", COPIES, ids=["deepcopy", "pickle"])
class TestCopies:
    def test_hold_the_same_values_in_memory_of_their_own(self, duplicate, device, mode):
        for dtype in ("float32", "float64", "int64", "bool"):
            x = tensor([[1, 0], [0, 1]], dtype=dtype, device=device, requires_grad=dtype == "float32")
            y = duplicate(x)
            assert (y.shape, y.dtype, y.device, y.requires_grad) == (x.shape, x.dtype, x.device, x.requires_grad)
            np.testing.assert_array_equal(y.numpy(), x.numpy())
            y.cached_data[...] = 0
            assert x.numpy().any()

    def test_are_leaves(self, duplicate, mode):
        x = tensor([1.0, 2.0])
        y = duplicate(ndl.exp(x) * 2)
        assert y.is_leaf() and y.requires_grad and y.grad is None
        np.testing.assert_allclose(y.numpy(), 2 * np.exp([1, 2]), rtol=1e-6)

    def test_keep_their_class(self, duplicate):
        assert type(duplicate(nn.Parameter([1.0]))) is nn.Parameter
        pair = duplicate(ndl.make_tuple(tensor([1.0]), tensor([2.0, 3.0])))
        assert isinstance(pair, ndl.TensorTuple) and [x.tolist() for x in pair.numpy()] == [[1], [2, 3]]

    def test_of_a_model_compute_the_same_and_learn_on_their_own(self, duplicate):
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
        other = duplicate(model)
        x = tensor(np.random.default_rng(0).standard_normal((5, 3)))
        np.testing.assert_array_equal(other(x).numpy(), model(x).numpy())
        before = model(x).numpy()
        other(x).sum().backward()
        ndl.optim.SGD(other.parameters(), lr=1.0).step()
        np.testing.assert_array_equal(model(x).numpy(), before)
        assert np.abs(other(x).numpy() - before).max() > 0

    def test_of_a_view_are_compact(self, duplicate):
        x = ndl.transpose(tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        np.testing.assert_array_equal(duplicate(x).numpy(), [[1, 4], [2, 5], [3, 6]])


def test_a_tensor_that_appears_twice_is_copied_once():
    x = tensor([1.0])
    first, second = copy.deepcopy([x, x])
    assert first is second and first is not x
