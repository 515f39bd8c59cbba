"""cpu_simple(): its flat kernels against NumPy, what they refuse, and a network that trains on it.

`test_kernels` and the tests of the layers above run on it, too; here is what is its own.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import needle as ndl
from needle import backend_ndarray as nd
from needle.backend_ndarray.device import named, simple_kernels
from needle.backend_ndarray.flat import REQUIRED

kernels = simple_kernels()


def buffer(values):
    """A buffer with the elements of an array."""
    values = np.asarray(values, "float32")
    array = kernels.Array(values.size)
    kernels.from_numpy(values, array)
    return array


def elements(array):
    """All elements of a buffer."""
    return kernels.to_numpy(array, (array.size,), (1,), 0)


def draws(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def test_it_is_one_of_the_devices_and_has_the_required_part():
    assert nd.cpu_simple() in nd.all_devices() and named("cpu_simple") is nd.cpu_simple()
    assert nd.cpu_simple().__tile_size__ == kernels.__tile_size__ == 8
    assert all(callable(getattr(kernels, name)) for name in ("Array", *REQUIRED))


@pytest.mark.parametrize("extents", [(1, 1, 1), (3, 5, 2), (8, 16, 24), (40, 8, 16), (33, 65, 7), (64, 0, 8)])
def test_every_product_is_numpys(extents):
    m, n, p = extents
    a, b = draws(m, n), draws(n, p, seed=1)
    names = ["matmul", "matmul_naive"]
    for name in names:
        out = buffer(np.full(m * p, np.nan))
        getattr(kernels, name)(buffer(a), buffer(b), out, m, n, p)
        np.testing.assert_allclose(elements(out).reshape(m, p), a @ b, rtol=1e-4, atol=1e-5)


def test_the_product_of_tiles_takes_matrices_that_are_cut():
    m, n, p, t = 16, 24, 8, kernels.__tile_size__

    def cut(x):
        return x.reshape(x.shape[0] // t, t, x.shape[1] // t, t).swapaxes(1, 2)

    a, b = draws(m, n), draws(n, p, seed=1)
    out = buffer(np.full(m * p, np.nan))
    kernels.matmul_tiled(buffer(cut(a)), buffer(cut(b)), out, m, n, p)
    np.testing.assert_allclose(elements(out), cut(a @ b).ravel(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "sizes", "more"),
    [
        ("ewise_add", (4, 3, 4), ()),
        ("ewise_add", (4, 4, 5), ()),
        ("ewise_exp", (4, 3), ()),
        ("compact", (6, 6), ((2, 3), (3, 2), 0)),
        ("compact", (6, 6), ((2, 3), (3, 1), 1)),
        ("compact", (6, 6), ((2, 3), (3, -1), 0)),
        ("compact", (6, 6), ((2, 3), (3,), 0)),
        ("compact", (6, 5), ((2, 3), (3, 1), 0)),
        ("ewise_setitem", (5, 6), ((2, 3), (3, 1), 0)),
        ("ewise_setitem", (6, 6), ((2, 3), (3, 1), 1)),
        ("reduce_sum", (6, 2), (4,)),
        ("matmul", (6, 6, 4), (2, 3, 3)),
        ("matmul_tiled", (6, 6, 4), (2, 3, 2)),
    ],
)
def test_operands_that_do_not_fit_are_refused(name, sizes, more):
    arrays = [buffer(np.zeros(size)) for size in sizes]
    with pytest.raises(ValueError, match=name):
        getattr(kernels, name)(*arrays, *more)


def test_other_things_are_refused():
    out = buffer(np.zeros(3))
    with pytest.raises(ValueError, match="from_numpy"):
        kernels.from_numpy(np.zeros(4, "float32"), out)
    with pytest.raises(ValueError, match="scalar_setitem"):
        kernels.scalar_setitem(2, 1.0, out, (3,), (1,), 0)
    with pytest.raises(ValueError, match="negative"):
        kernels.Array(-1)
    with pytest.raises(MemoryError):
        kernels.Array(2**61)
    with pytest.raises(TypeError):
        kernels.fill(np.zeros(3, "float32"), 1.0)


def test_what_numpy_is_given_is_a_copy():
    array = buffer([1, 2, 3])
    given = elements(array)
    kernels.fill(array, 5)
    assert given.tolist() == [1, 2, 3] and elements(array).tolist() == [5, 5, 5]


@pytest.mark.skipif(ndl.backend_selection.BACKEND != "nd", reason="tensors hold NumPy arrays")
def test_a_network_trains_on_it_as_on_the_default_device():
    def losses(device):
        np.random.seed(0)
        x = ndl.Tensor(np.random.randn(24, 8), device=device)
        y = ndl.Tensor(np.random.randint(0, 3, 24), device=device)
        layers = [ndl.nn.Linear(8, 16, device=device), ndl.nn.ReLU(), ndl.nn.LayerNorm1d(16, device=device)]
        model = ndl.nn.Sequential(*layers, ndl.nn.Linear(16, 3, device=device))
        optimizer, given = ndl.optim.Adam(model.parameters(), lr=0.05), []
        for _ in range(10):
            optimizer.reset_grad()
            loss = ndl.nn.SoftmaxLoss()(model(x), y)
            loss.backward()
            optimizer.step()
            given.append(loss.numpy().item())
        return given

    simple = losses(ndl.cpu_simple())
    assert simple[-1] < simple[0] / 2
    np.testing.assert_allclose(simple, losses(ndl.cpu()), rtol=1e-4)


def test_it_is_the_default_where_it_is_all_that_was_built():
    program = """
import sys
from needle.backend_ndarray import device
built = {"ndarray_backend_cpu_simple"}
device._is_built = built.__contains__
sys.modules["needle.backend_ndarray.ndarray_backend_cpu_simple"] = device.cpu().module.simple
from needle import backend_ndarray as nd
print(nd.array([1.0, 2.0]).device, nd.zeros(2).device, nd.all_devices())
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == "cpu_simple() cpu_simple() [cpu_simple(), cuda(), cpu_numpy()]\n"
