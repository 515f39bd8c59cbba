"""Forward: operators that change the shape."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.testing import hint, same
from needle.ops import BroadcastTo, MatMul, Reshape, Summation, Transpose


def counted(*shape: int) -> np.ndarray:
    """0, 1, 2, ... in a shape: every element tells where it came from."""
    return np.arange(float(np.prod(shape))).reshape(shape)


@hint("The elements keep their row-major order; the new shape is self.shape.")
@pytest.mark.parametrize(("shape", "new"), [((2,), (2, 1)), ((2, 3), (3, 2)), ((2, 3), (6,)), ((2, 3, 4), (4, -1))])
def test_reshape(shape, new):
    a = counted(*shape)
    rows = [a.flat[i] for i in range(a.size)]
    expected = np.array(rows).reshape(new)
    mistakes = {"the order is column-major": a.reshape(new, order="F"), "the axes are swapped instead": a.T}
    same(Reshape(new).compute(a), expected, of=f"Reshape({new}).compute(a)", given={"a": a}, mistakes=mistakes)


@hint("With self.axes None, the last two axes are swapped; all others stay where they are.")
@pytest.mark.parametrize("shape", [(1, 2), (2, 3), (2, 3, 4)])
def test_transpose(shape):
    a = counted(*shape)
    expected = np.stack([matrix.T for matrix in a]) if a.ndim == 3 else a.T
    mistakes = {"all axes are reversed": a.transpose(), "the first two axes are swapped": a.swapaxes(0, 1)}
    same(Transpose().compute(a), expected, of="Transpose().compute(a)", given={"a": a}, mistakes=mistakes)


@hint("self.axes are the two axes that are swapped; it is not the order of all axes.")
@pytest.mark.parametrize(
    ("shape", "axes"), [((2, 3), (0, 1)), ((2, 3, 4), (0, 1)), ((2, 3, 4), (0, 2)), ((2, 3, 4), (-1, -3))]
)
def test_transpose_of_two_axes(shape, axes):
    a = counted(*shape)
    expected = np.moveaxis(a, (axes[0], axes[1]), (axes[1], axes[0]))
    mistakes = {"the last two axes are swapped": a.swapaxes(-1, -2), "nothing is swapped": a}
    same(Transpose(axes).compute(a), expected, of=f"Transpose({axes}).compute(a)", given={"a": a}, mistakes=mistakes)


@hint("As np.broadcast_to.")
@pytest.mark.parametrize(
    ("shape", "new"), [((1,), (3,)), ((2, 1), (2, 3)), ((3,), (2, 3)), ((), (2, 2)), ((2, 1, 3), (4, 2, 2, 3))]
)
def test_broadcast_to(shape, new):
    a = counted(*shape)
    expected = a + np.zeros(new)
    same(BroadcastTo(new).compute(a), expected, of=f"BroadcastTo({new}).compute(a)", given={"a": a})


@hint("With self.axes None all elements are summed.")
@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 3, 4)])
def test_sum_of_everything(shape):
    a = random(*shape)
    expected = np.array(sum(a.flat))
    mistakes = {"this is a sum over the first axis only": a.sum(0), "this is the mean": a.mean()}
    same(Summation().compute(a), expected, of="Summation().compute(a)", given={"a": a}, mistakes=mistakes, rtol=1e-12)


@hint("self.axes is None, an int, or a tuple; an axis can count from the end.")
@pytest.mark.parametrize(
    ("shape", "axes", "einsum"),
    [
        ((2, 3), 0, "ij->j"),
        ((2, 3), (1,), "ij->i"),
        ((2, 3), -1, "ij->i"),
        ((2, 3, 4), (0, 2), "ijk->j"),
        ((2, 3, 4), (-1, 1), "ijk->i"),
    ],
)
def test_sum_over_axes(shape, axes, einsum):
    a = counted(*shape)
    mistakes = {"everything is summed": a.sum(), "the summed axes are kept": np.sum(a, axis=axes, keepdims=True)}
    of = f"Summation({axes}).compute(a)"
    same(Summation(axes).compute(a), np.einsum(einsum, a), of=of, given={"a": a}, mistakes=mistakes)


@hint("self.keepdims: the summed axes stay, with extent 1.")
@pytest.mark.parametrize(
    ("shape", "axes", "einsum", "kept"),
    [((2, 3), 1, "ij->i", (2, 1)), ((2, 3), None, "ij->", (1, 1)), ((2, 3, 4), (0, 2), "ijk->j", (1, 3, 1))],
)
def test_sum_that_keeps_axes(shape, axes, einsum, kept):
    a = counted(*shape)
    expected = np.einsum(einsum, a).reshape(kept)
    mistakes = {"the summed axes are gone": np.einsum(einsum, a)}
    of = f"Summation({axes}, keepdims=True).compute(a)"
    same(Summation(axes, keepdims=True).compute(a), expected, of=of, given={"a": a}, mistakes=mistakes)


@hint("Rows times columns: a @ b.")
@pytest.mark.parametrize(("m", "k", "n"), [(1, 2, 1), (2, 2, 2), (2, 3, 4), (5, 1, 2)])
def test_matmul(m, k, n):
    a, b = random(m, k), random(k, n, seed=1)
    expected = np.array([[sum(a[i, p] * b[p, j] for p in range(k)) for j in range(n)] for i in range(m)])
    mistakes = {
        "this is a product element by element": a * b if m == k == n else None,
        "this is b @ a": b @ a if m == n else None,
    }
    of = "MatMul().compute(a, b)"
    same(MatMul().compute(a, b), expected, of=of, given={"a": a, "b": b}, mistakes=mistakes, rtol=1e-12)


@hint("Leading axes are batches: one product for each.")
@pytest.mark.parametrize(
    ("left", "right"), [((2, 1, 2), (2, 2, 1)), ((3, 2, 4), (3, 4, 5)), ((3, 2, 4), (4, 5)), ((2, 1, 2, 3), (4, 3, 2))]
)
def test_matmul_of_batches(left, right):
    a, b = random(*left), random(*right, seed=1)
    expected = np.einsum("...ij,...jk->...ik", a, b)
    same(MatMul().compute(a, b), expected, of="MatMul().compute(a, b)", given={"a": a, "b": b}, rtol=1e-12)


@hint("A view: the result looks at the same memory in another way, nothing is copied.")
@pytest.mark.parametrize("op", [Transpose(), BroadcastTo((4, 2, 3)), Reshape((3, 2))], ids=str)
def test_views_do_not_copy(op):
    a = random(2, 3)
    same(np.shares_memory(op.compute(a), a), True, of=f"whether {op}.compute(a) shares the memory of a", given={"a": a})
