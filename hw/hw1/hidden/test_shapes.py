"""Forward operators that change the shape, at their edges."""

from __future__ import annotations

import numpy as np
import pytest

import needle as ndl
from hw.derivatives import random
from hw.hw1.tests.checks import values
from hw.testing import hint, raises, same
from needle.ops import BroadcastTo, MatMul, Reshape, Summation, Transpose


@hint("Arrays without elements have shapes, too.")
@pytest.mark.parametrize(
    ("op", "shape", "expected"),
    [
        (Reshape((0, 2)), (4, 0), (0, 2)),
        (Reshape(()), (1, 1), ()),
        (Transpose(), (0, 3), (3, 0)),
        (Transpose((0, 3)), (1, 2, 3, 0), (0, 2, 3, 1)),
        (BroadcastTo((0, 3)), (1, 3), (0, 3)),
        (Summation(0), (0, 3), (3,)),
        (Summation(), (0, 3), ()),
        (Summation((), keepdims=True), (2, 3), (2, 3)),
        (Summation(), (), ()),
    ],
    ids=str,
)
def test_edges(op, shape, expected):
    found = np.asarray(op.compute(random(*shape)))
    same(found.shape, expected, of=f"the shape of {op}.compute(a), a of shape {shape}")
    if isinstance(op, Summation) and 0 in shape:
        same(found, np.zeros(expected), of="a sum of nothing")


@hint("Five axes are like three: only the two that are swapped move.")
@pytest.mark.parametrize("axes", [None, (1, 3), (3, 1), (-5, 4)])
def test_transpose_of_five_axes(axes):
    a = random(2, 3, 4, 5, 6)
    order = list(range(5))
    first, second = axes or (3, 4)
    order[first], order[second] = order[second], order[first]
    same(Transpose(axes).compute(a), np.einsum(a, list(range(5)), order), of=f"Transpose({axes}).compute(a)")


@hint("What has no two axes, or not the axis that is named, is refused: by a ValueError.")
@pytest.mark.parametrize(
    ("op", "shape"),
    [(Transpose(), (3,)), (Transpose((0, 2)), (2, 3)), (Summation(2), (2, 3)), (Summation((0, 0)), (2,))],
)
def test_wrong_axes_are_refused(op, shape):
    with raises(ValueError, of=f"{op}.compute(a), a of shape {shape}"):
        op.compute(random(*shape))


@hint("float32 stays float32, and inputs stay what they are.")
@pytest.mark.parametrize("op", [Reshape((3, 2)), Transpose(), BroadcastTo((4, 2, 3)), Summation(1)], ids=str)
def test_dtypes_and_inputs_are_kept(op):
    a = random(2, 3, dtype="float32")
    before = a.copy()
    expected = {Reshape: a.flatten(), Transpose: a.T, BroadcastTo: a + np.zeros((4, 2, 3)), Summation: a @ np.ones(3)}
    found = op.compute(a)
    same(np.ravel(found), expected[type(op)].ravel(), of=f"the elements of {op}.compute(a)", dtype="float32")
    same(a, before, of=f"the input, after {op}.compute(a)")


@hint("Leading axes broadcast against each other, as elements do.")
@pytest.mark.parametrize(
    ("left", "right"),
    [((4, 1, 2, 3), (5, 3, 1)), ((2, 3), (6, 3, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((7, 1, 1), (7, 1, 4))],
)
def test_matmul_broadcasts(left, right):
    a, b = random(*left, dtype="float32"), random(*right, seed=1, dtype="float32")
    expected = np.einsum("...ij,...jk->...ik", a, b)
    same(MatMul().compute(a, b), expected, of=f"the product of shapes {left} and {right}", dtype="float32")


@hint("The functions and methods of Tensor come to your compute.")
def test_through_tensors():
    a, row = random(2, 3), random(3, seed=1)
    x = ndl.Tensor(a)
    for of, found, expected in [
        ("a + row", x + ndl.Tensor(row), a + row),
        ("a.transpose().reshape((2, 3))", x.transpose().reshape((2, 3)), a.T.reshape(2, 3)),
        ("a.sum((0,))", x.sum((0,)), np.add.reduce(a)),
        ("a @ a.transpose()", x @ x.transpose(), np.einsum("ik,jk->ij", a, a)),
    ]:
        same(values(found), expected, of=of, given={"a": a, "row": row}, rtol=1e-12)
