"""C++: tiles, their product, and the whole device."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.derivatives import random
from hw.hw3.tests.checks import UNSET, counted, result_of
from hw.hw3.tests.test_matmul import product
from hw.testing import hint, same
from needle import backend_ndarray as nd

T = 8


def cut(x):
    """The elements of a matrix, tile by tile."""
    rows, cols = x.shape
    return np.concatenate([x[i : i + T, j : j + T].ravel() for i in range(0, rows, T) for j in range(0, cols, T)])


@hint("Row by row of the first tile, then the tile on its right; after the last of a row of tiles, the next row.")
@pytest.mark.parametrize("shape", [(8, 8), (8, 16), (16, 8), (16, 24)])
def test_to_tiles(shape):
    a = counted(*shape)
    rows, cols = shape
    tiles = a.reshape(rows // T, T, cols // T, T)
    mistakes = {
        "the elements are in the order of the matrix": a.ravel(),
        "tiles go down first, and then to the right": tiles.transpose(2, 0, 1, 3).ravel(),
        "the tiles are transposed": tiles.transpose(0, 2, 3, 1).ravel(),
    }
    mistakes = {what: x for what, x in mistakes.items() if (x != cut(a)).any()}
    found = result_of("to_tiles", a.size, a, after=shape)
    same(found, cut(a), of=f"out, after to_tiles(a, out, {rows}, {cols})", mistakes=mistakes)


@hint("The way back: a is read from the first element to the last, and out is the view.")
@pytest.mark.parametrize("shape", [(8, 8), (8, 16), (16, 8), (24, 16)])
def test_from_tiles(shape):
    a = counted(*shape)
    found = result_of("from_tiles", a.size, cut(a), after=shape).reshape(shape)
    mistakes = {"the matrix is cut, and not put together": cut(cut(a).reshape(shape)).reshape(shape)}
    mistakes = {what: x for what, x in mistakes.items() if (x != a).any()}
    same(found, a, of=f"out, after from_tiles(a, out, {shape[0]}, {shape[1]})", mistakes=mistakes)


@hint("Tile (i, j) of out is the sum over k of tile (i, k) of a times tile (k, j) of b.")
@pytest.mark.parametrize("extents", [(8, 8, 8), (8, 16, 8), (16, 8, 8), (8, 8, 16), (16, 24, 8), (24, 8, 16)])
def test_product_of_tiles(extents):
    m, n, p = extents
    a, b = random(m, n, dtype="float32"), random(n, p, dtype="float32", seed=1)
    found = result_of("matmul_tiled", m * p, cut(a), cut(b), after=extents)
    mistakes = {
        "it is added to what was there": cut(a @ b) + np.float32(UNSET),
        "only the last tile of the sum is kept": cut(a[:, -T:] @ b[-T:]),
        "only the first tile of the sum is kept": cut(a[:, :T] @ b[:T]),
        "the operands are not cut": cut(a).reshape(m, n).ravel()[:1],
    }
    mistakes = {what: x for what, x in mistakes.items() if x.size != m * p or not np.allclose(x, cut(a @ b), atol=1e-3)}
    of = f"matmul_tiled(a, b, out, {m}, {n}, {p}), tile by tile"
    same(found, cut(a @ b), of=of, mistakes=mistakes, atol=1e-3)


@hint("matmul cuts, multiplies and puts together; where an extent is no multiple of 8, it calls matmul_naive.")
@pytest.mark.parametrize("extents", [(8, 8, 8), (16, 8, 24), (8, 9, 8), (3, 8, 8)])
def test_matmul(extents):
    m, n, p = extents
    a, b = random(m, n, dtype="float32"), random(n, p, dtype="float32", seed=1)
    same(product("matmul", a, b), a @ b, of=f"matmul of ({m}, {n}) and ({n}, {p})", atol=1e-3)


@hint("All together: reshape, permute, slices and sums of arrays on your device. Which of the earlier tasks fails?")
@pytest.mark.parametrize("shape", [(2, 3, 4), (8, 8, 16)])
def test_arrays_on_the_device(shape):
    a = random(*shape, dtype="float32")
    x = nd.array(a, device=nd.cpu_simple())
    y = x.permute((0, 2, 1))
    found = [x @ y, x.sum(axis=1), y.max(axis=0), x[:, ::-1] + 1, y.reshape((-1,)), (x - x[0]).tanh()]
    at = a.transpose(0, 2, 1)
    expected = [a @ at, a.sum(1), at.max(0), a[:, ::-1] + 1, at.reshape(-1), np.tanh(a - a[:1])]
    same(found, expected, of=f"six results of an array of shape {shape}", atol=1e-3)


X, Y, STEP = random(16, 8, dtype="float32"), np.arange(16) % 3, 0.5
WEIGHTS = [random(8, 16, dtype="float32", seed=1) / 4, random(16, 3, dtype="float32", seed=2) / 4]


def on_the_device(steps):
    """The losses of a small network that is trained on cpu_simple()."""
    w1, w2 = (ndl.Tensor(w, device=nd.cpu_simple()) for w in WEIGHTS)
    x, rows = (ndl.Tensor(x, device=nd.cpu_simple(), requires_grad=False) for x in (X, np.eye(3)[Y]))
    found = []
    for _ in range(steps):
        loss = ndl.ops.softmax_loss(ndl.relu(x @ w1) @ w2, rows)
        loss.backward()
        found.append(float(loss.numpy()))
        w1, w2 = (ndl.Tensor(w.data - STEP * w.grad.data) for w in (w1, w2))
    return found


def in_numpy(steps):
    """The same."""
    (w1, w2), found = WEIGHTS, []
    for _ in range(steps):
        hidden = np.maximum(X @ w1, 0)
        e = np.exp(hidden @ w2)
        p = e / e.sum(1, keepdims=True)
        found.append(-np.log(p[np.arange(16), Y]).mean())
        g = (p - np.eye(3)[Y]) / 16
        w1, w2 = w1 - STEP * X.T @ (g @ w2.T * (hidden > 0)), w2 - STEP * hidden.T @ g
    return found


@hint("A network learns on your device what it learns elsewhere. Which of the earlier tasks fails?")
@pytest.mark.parametrize("steps", [1, 8])
def test_a_network_learns(steps):
    same(on_the_device(steps), in_numpy(steps), of=f"the losses of {steps} steps", rtol=1e-3)
