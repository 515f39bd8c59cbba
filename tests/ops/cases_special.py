"""Calls of the operators of `needle.ops.special`, `arrange` and `accumulate`, for `tests.ops.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import scipy.special

from needle import ops

INF = float("inf")


def special() -> Iterator[Any]:
    """Functions from exponentials and logarithms."""
    from tests.ops.cases import PAIRS, SHAPES, Case, apart, positive, smooth

    unary = [
        (ops.Log1p, ops.log1p, np.log1p, lambda *shape: positive(*shape) - 1.2),
        (ops.Expm1, ops.expm1, np.expm1, smooth),
        (ops.Sinh, ops.sinh, np.sinh, smooth),
        (ops.Cosh, ops.cosh, np.cosh, smooth),
        (ops.Erf, ops.erf, scipy.special.erf, smooth),
        (ops.NormalCdf, ops.NormalCdf(), scipy.special.ndtr, smooth),
        (ops.Gaussian, ops.Gaussian(0.5), lambda a: np.exp(-a * a / 2), smooth),
        (ops.Gaussian, ops.Gaussian(1), lambda a: np.exp(-a * a), smooth),
        (ops.Gelu, ops.gelu, lambda a: a * scipy.special.ndtr(a), smooth),
        (ops.Silu, ops.silu, lambda a: a * scipy.special.expit(a), smooth),
        (ops.Softplus, ops.softplus, lambda a: np.logaddexp(a, 0), smooth),
    ]
    for shape in SHAPES:
        for op, function, reference, draw in unary:
            yield Case(op, function, reference, [draw(*shape)])
        yield Case(ops.Gelu, partial(ops.gelu, approximate="tanh"), gelu_by_tanh, [smooth(*shape)], "tanh")
    for left, right in PAIRS:
        yield Case(ops.LogAddExp, ops.logaddexp, np.logaddexp, [smooth(*left), smooth(*right, seed=5)])
        # Nowhere on the negative x-axis, where the angle jumps from -pi to pi.
        yield Case(ops.Arctan2, ops.arctan2, np.arctan2, [apart(*left), smooth(*right, seed=5)])
        yield Case(ops.Arctan2, ops.arctan2, np.arctan2, [apart(*left), -positive(*right)], "left")
    yield Case(ops.LogAddExp, partial(ops.logaddexp, b=0.5), partial(np.logaddexp, 0.5), [smooth(3)], "number")


def gelu_by_tanh(a: np.ndarray) -> np.ndarray:
    """Half of a, and as much times the hyperbolic tangent."""
    return a / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3)))


def arranging() -> Iterator[Any]:
    """Padding, tiling, rolling, triangles, diagonals."""
    from tests.ops.cases import Case, smooth

    for shape, widths, value in [
        ((3,), 1, 0),
        ((2, 3), (0, 2), 5),
        ((2, 3), ((1, 2), (0, 3)), -2),
        ((2, 1, 2), ((0, 1), (2, 0), (0, 0)), 0),
        ((2, 3), 0, 1),
        ((0, 2), ((1, 1), (0, 1)), 3),
        ((), 2, 1),
    ]:
        pads = partial(ops.pad, widths=widths, value=value)
        reference = partial(np.pad, pad_width=widths, constant_values=value)
        yield Case(ops.Pad, pads, reference, [smooth(*shape)], f"{widths}-{value}")
    for shape, reps in [
        ((3,), 2),
        ((2, 3), (2,)),
        ((2, 3), (2, 1)),
        ((2, 3), (3, 1, 2)),
        ((), (2, 3)),
        ((), ()),
        ((2, 1, 2), ()),
        ((2, 3), (0, 2)),
        ((0, 2), 2),
        ((3,), (2, 0)),
    ]:
        yield Case(ops.Tile, partial(ops.tile, reps=reps), partial(np.tile, reps=reps), [smooth(*shape)], f"{reps}")
    for shape, shift, axis in [
        ((4,), 1, None),
        ((2, 3), -4, None),
        ((2, 3), (1, 1), None),
        ((2, 3), 1, 0),
        ((2, 3), -2, -1),
        ((2, 3, 2), (1, 2), (0, -2)),
        ((2, 3), 1, (0, 1)),
        ((4,), (1, 2), 0),
        ((2, 3), (1, 1, 1), (0, 1, 1)),
        ((3,), 0, 0),
        ((2, 2), (), ()),
        ((0, 3), 2, 0),
        ((0,), 1, None),
        ((), 1, None),
    ]:
        rolls = partial(ops.roll, shift=shift, axis=axis), partial(np.roll, shift=shift, axis=axis)
        yield Case(ops.Roll, *rolls, [smooth(*shape)], f"{shift}-{axis}")
    for shape in [(3, 3), (2, 4), (4, 2), (2, 2, 3), (2, 1, 2, 2), (0, 3), (2, 3, 0)]:
        for k in (0, 1, -1, 3, -5):
            for op, function, reference in [
                (ops.Tril, partial(ops.tril, k=k), partial(np.tril, k=k)),
                (ops.Triu, partial(ops.triu, k=k), partial(np.triu, k=k)),
                (ops.Diagonal, partial(ops.diagonal, offset=k), partial(np.linalg.diagonal, offset=k)),
                (ops.Trace, partial(ops.trace, offset=k), partial(np.linalg.trace, offset=k)),
            ]:
                yield Case(op, function, reference, [smooth(*shape)], f"{k}")


def accumulating() -> Iterator[Any]:
    """Running sums, products, norms."""
    from tests.ops.cases import AXES, Case, apart, smooth

    for shape, axis in [((1,), 0), ((5,), 0), ((8,), -1), ((2, 3, 2), 1), ((3, 2), -2), ((0,), 0), ((0, 3), 1)]:
        yield Case(
            ops.CumSum, partial(ops.cumsum, axis=axis), partial(np.cumsum, axis=axis), [smooth(*shape)], f"{axis}"
        )
    for axes in AXES:
        for keep in (False, True):
            options: dict[str, Any] = {"axes": axes, "keepdims": keep}
            reference: dict[str, Any] = {"axis": axes, "keepdims": keep}
            name = f"{axes}-{keep}"
            yield Case(ops.Prod, partial(ops.prod, **options), partial(np.prod, **reference), [smooth(2, 3, 2)], name)
            for order in (1, 2, INF):
                ours, numpys = partial(ops.norm, ord=order, **options), partial(vector_norm, ord=order, **reference)
                yield Case(ops.Norm, ours, numpys, [apart(2, 3, 2) + 0.03], f"{order}-{name}")
        yield Case(ops.Direction, ops.Direction(axes), partial(direction, axis=axes), [apart(2, 3, 2)], f"{axes}")
    for shape, axes in [((), None), ((1,), 0), ((5,), 0), ((7,), None), ((0,), None), ((0, 3), 0), ((0, 3), 1)]:
        products = partial(ops.prod, axes=axes), partial(np.prod, axis=axes)
        yield Case(ops.Prod, *products, [smooth(*shape)], f"{axes}")
        for order in (1, 2):
            norms = partial(ops.norm, ord=order, axes=axes), partial(vector_norm, ord=order, axis=axes)
            yield Case(ops.Norm, *norms, [apart(*shape)], f"{order}-{axes}")
        yield Case(ops.Direction, ops.Direction(axes), partial(direction, axis=axes), [apart(*shape)], f"{axes}")
    for shape, axes in [((), None), ((3,), 0), ((0, 3), 1)]:
        norms = partial(ops.norm, ord=INF, axes=axes), partial(vector_norm, ord=INF, axis=axes)
        yield Case(ops.Norm, *norms, [apart(*shape)], f"inf-{axes}")
    for zeros in (1, 2, 3):
        a = smooth(2, 5)
        a[0, :zeros] = 0
        yield Case(ops.Prod, partial(ops.prod, axes=1), partial(np.prod, axis=1), [a], f"{zeros}zeros")


def vector_norm(a: np.ndarray, ord: float, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    """The norm, by its definition."""
    size = np.abs(a)
    if ord == INF:
        return np.max(size, axis=axis, keepdims=keepdims)
    return np.sum(size**ord, axis=axis, keepdims=keepdims) ** (1 / ord)


def direction(a: np.ndarray, axis: Any) -> np.ndarray:
    """a by its norm."""
    return a / vector_norm(a, 2, axis, keepdims=True) if a.size else a
