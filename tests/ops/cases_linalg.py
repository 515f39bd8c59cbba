"""Calls of the operators for sums of products, linear algebra and sorting: see `tests.ops.cases`.

Each is what a `Case` is made of. It stands for itself, so that `tests.ops.cases` can import it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

import needle as ndl
from needle import ops

#: op, function, reference, arrays, name
Parts = tuple[type[ndl.Op], Callable[..., Any], Callable[..., Any], Sequence[np.ndarray], str]


def draws(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal draws."""
    return np.random.default_rng(seed + len(shape)).standard_normal(shape)


def distinct(*shape: int, seed: int = 2) -> np.ndarray:
    """Numbers of both signs, at least 0.1 from each other, in random order."""
    n = int(np.prod(shape))
    return np.random.default_rng(seed).permutation((np.arange(n) - n // 2) * 0.2 + 0.1).reshape(shape)


def dominant(*shape: int, seed: int = 0) -> np.ndarray:
    """Well-conditioned matrices with positive eigenvalues of their symmetric parts, not symmetric themselves.

    Cut to integers they are diagonal, and still regular.
    """
    return np.random.default_rng(seed).uniform(-0.6, 0.6, shape) + 2.5 * np.eye(shape[-1])


CONTRACTIONS: list[tuple[str, list[tuple[int, ...]]]] = [
    # One operand.
    ("", [()]),
    ("i->", [(3,)]),
    ("ij->ji", [(2, 3)]),
    ("ba", [(2, 3)]),
    ("ijk->kj", [(2, 3, 2)]),
    ("...j->...", [(2, 3)]),
    ("i...->...i", [(2, 3, 2)]),
    ("ii", [(3, 3)]),
    ("ii->i", [(3, 3)]),
    ("i...i", [(2, 3, 2)]),
    ("jiij->ji", [(2, 3, 3, 2)]),
    ("iii->i", [(2, 2, 2)]),
    ("ijk->", [(2, 0, 3)]),
    ("ii->i", [(0, 0)]),
    # Two: all kinds of labels, in all orders.
    (",", [(), ()]),
    (",i", [(), (3,)]),
    ("i,i", [(3,), (3,)]),
    ("i,i->i", [(3,), (3,)]),
    ("i,j", [(2,), (3,)]),
    ("i,j->", [(2,), (3,)]),
    ("i,j->ji", [(2,), (3,)]),
    ("i j, j k -> i k", [(2, 3), (3, 2)]),
    ("ij,kj->ki", [(2, 3), (2, 3)]),
    ("ij,ij->j", [(2, 3), (2, 3)]),
    ("ijk,ikl->lij", [(2, 3, 2), (2, 2, 3)]),
    ("ij,jkl->k", [(2, 3), (3, 2, 2)]),
    ("ijk,kj", [(2, 3, 2), (2, 3)]),
    ("ij,jk", [(2, 0), (0, 3)]),
    ("ij,jk", [(0, 2), (2, 3)]),
    ("...ij,...jk->...ik", [(2, 1, 2, 3), (2, 3, 2)]),
    ("i...,...i->...", [(2, 3), (1, 2)]),
    ("...i,...j", [(2,), (2, 3)]),
    ("ij,jk", [(2, 1), (3, 2)]),
    ("ii,i->i", [(2, 2), (2,)]),
    # More.
    ("i,ij,j", [(2,), (2, 3), (3,)]),
    ("ij,jk,kl->li", [(2, 3), (3, 2), (2, 2)]),
    ("i,j,k->kij", [(2,), (3,), (2,)]),
    (",ij,i...->...j", [(), (2, 3), (2, 2)]),
]


def contractions() -> Iterator[Parts]:
    """Sums of products, dot and outer products."""
    for subscripts, shapes in CONTRACTIONS:
        operands = [draws(*shape, seed=seed) for seed, shape in enumerate(shapes)]
        functions = (partial(f, subscripts) for f in (ops.einsum, np.einsum))
        yield ops.Einsum, *functions, operands, "".join(subscripts.split())
    for left in [(), (3,), (2, 3), (2, 1, 3)]:
        for right in [(), (3,), (3, 2), (2, 3, 1)]:
            yield ops.Dot, ops.dot, np.dot, [draws(*left), draws(*right, seed=4)], ""
    yield ops.Dot, ops.dot, np.dot, [draws(2, 0), draws(0, 3)], ""
    for left, right in [((2,), (3,)), ((2, 2), (3,)), ((), (2, 1)), ((0,), (3,))]:
        yield ops.Outer, ops.outer, np.outer, [draws(*left), draws(*right, seed=4)], ""


def matrices() -> Iterator[Parts]:
    """Inverses, systems of equations, determinants, factors."""
    for shape in [(1, 1), (2, 2), (3, 3), (2, 2, 2), (2, 1, 2, 2), (0, 0), (0, 2, 2), (2, 0, 0)]:
        a = dominant(*shape)
        yield ops.Inv, ops.inv, np.linalg.inv, [a], ""
        yield ops.Det, ops.det, np.linalg.det, [a], ""
        yield ops.Cofactor, ops.Cofactor(), cofactors, [a], ""
        yield ops.LogDet, ops.logdet, log_determinant, [a], ""
        yield ops.Cholesky, ops.cholesky, cholesky, [a], ""
    swapped = dominant(3, 3)[[1, 0, 2]]
    yield ops.Det, ops.det, np.linalg.det, [swapped], "negative"
    yield ops.Cofactor, ops.Cofactor(), cofactors, [swapped], "negative"
    yield ops.LogDet, ops.logdet, log_determinant, [swapped], "negative"
    sides = [((1, 1), (1, 1)), ((2, 2), (2, 3)), ((3, 3), (3, 0)), ((0, 0), (0, 2)), ((0, 2, 2), (2, 1))]
    stacks = [((2, 2), (3, 2, 1)), ((3, 2, 2), (2, 2)), ((2, 1, 2, 2), (3, 2, 1))]
    for left, right in [*sides, *stacks]:
        yield ops.Solve, ops.solve, np.linalg.solve, [dominant(*left), draws(*right)], ""
    for left, right in [((2, 2), (2,)), ((3, 2, 2), (2,)), ((0, 0), (0,))]:
        yield ops.Reshape, ops.solve, np.linalg.solve, [dominant(*left), draws(*right)], "solve"


def cofactors(a: np.ndarray) -> np.ndarray:
    """Signed determinants of what is left of `a` without a row and a column."""
    out = np.zeros_like(a)
    for i in range(a.shape[-1]):
        for j in range(a.shape[-1]):
            out[..., i, j] = (-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, -2), j, -1))
    return out


def log_determinant(a: np.ndarray) -> np.ndarray:
    """log |det a|."""
    return np.linalg.slogdet(a)[1]


def cholesky(a: np.ndarray) -> np.ndarray:
    """Of the symmetric part."""
    return np.linalg.cholesky((a + np.swapaxes(a, -2, -1)) / 2)


def orders() -> Iterator[Parts]:
    """Sorting, and reading and adding along an axis."""
    for shape, axis in [((4,), 0), ((2, 3), -1), ((3, 2), 0), ((2, 3, 2), -2), ((2, 2), None), ((), None), ((0, 2), 0)]:
        a = distinct(*shape)
        for descending in (False, True):
            options = {"axis": axis, "descending": descending}
            name = f"{axis}-{descending}"
            yield ops.Sort, partial(ops.sort, **options), partial(in_order, **options), [a], name
            yield ops.ArgSort, partial(ops.argsort, **options), partial(places_in_order, **options), [a], name
        for k in {0, 1, a.size if axis is None else a.shape[axis]}:
            if k <= (a.size if axis is None else a.shape[axis]):
                largest = partial(ops.topk, k=k, axis=axis), partial(first_of_largest, k=k, axis=axis)
                yield ops.TopK, *largest, [a], f"{k}-{axis}"
    for shape, indices, axis in [
        ((3,), [2, 0, -1, 0], 0),
        ((2, 3), [[0, -1], [2, 2]], -1),
        ((3, 2), [[1, 0], [1, -3]], 0),
        ((2, 3, 2), [[[0, 1], [2, 1]]], 1),
        ((1, 3), [[0], [2], [2]], 1),
        ((2, 3), [[1]], 1),
        ((2, 2), [3, 0, 0], None),
        ((2, 0), np.zeros((2, 0)), 1),
        ((0, 2), np.zeros((0, 3)), 1),
    ]:
        at = np.array(indices, dtype=int)
        read = (partial(f, indices=at, axis=axis) for f in (ops.take_along_axis, np.take_along_axis))
        yield ops.TakeAlongAxis, *read, [draws(*shape)], f"{axis}"
    for indices, axis, extent in [([2, 0, -1, 0], 0, 3), ([[0, -1], [2, 2]], -1, 3), ([[1], [1]], 0, 2)]:
        options = {"indices": np.array(indices), "axis": axis, "extent": extent}
        add = partial(put, **options), partial(added_along, **options)
        yield ops.PutAlongAxis, *add, [draws(*np.shape(indices))], f"{axis}"
    options = {"indices": np.zeros((0, 2), int), "axis": 0, "extent": 3}
    yield ops.PutAlongAxis, partial(put, **options), partial(added_along, **options), [draws(0, 2)], "none"


def places_in_order(a: np.ndarray, axis: int | None, descending: bool) -> np.ndarray:
    """The order of distinct elements."""
    return np.argsort(-a if descending else a, axis)


def in_order(a: np.ndarray, axis: int | None, descending: bool) -> np.ndarray:
    """The elements, sorted."""
    return -np.sort(-a, axis) if descending else np.sort(a, axis)


def first_of_largest(a: np.ndarray, k: int, axis: int | None) -> np.ndarray:
    """The k largest, in descending order."""
    a = a.reshape(-1) if axis is None else a
    return in_order(a, axis or 0, True).take(range(k), axis or 0)


def put(values: ndl.Tensor, indices: np.ndarray, axis: int, extent: int) -> ndl.Tensor:
    """`ops.PutAlongAxis` at constant indices."""
    at = ndl.Tensor(indices, dtype="int64", device=values.device, requires_grad=False)
    return ops.PutAlongAxis(axis, extent)(values, at)


def added_along(values: np.ndarray, indices: np.ndarray, axis: int, extent: int) -> np.ndarray:
    """Zeros with `values` added at `indices` along the axis, one after another."""
    shape = list(values.shape)
    shape[axis] = extent
    out = np.zeros(shape)
    for place in np.ndindex(values.shape):
        target = list(place)
        target[axis] = indices[place]
        out[tuple(target)] += values[place]
    return out


def linear_algebra() -> Iterator[Parts]:
    """All of the above."""
    yield from contractions()
    yield from matrices()
    yield from orders()
