"""Calls of every operator: on what, and what NumPy gives for the same.

A `Case` is a function of tensors, the function of NumPy arrays that it must equal, and the arrays to call both with.
All elements are far enough from kinks and poles for central differences.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.special

import needle as ndl
from needle import ops
from tests.ops.cases_linalg import linear_algebra
from tests.ops.cases_special import accumulating, arranging, special


@dataclass(frozen=True)
class Case:
    """`function` on tensors equals `reference` on arrays, and ends in a node of `op`."""

    op: type[ndl.Op]
    function: Callable[..., Any]
    reference: Callable[..., Any]
    arrays: Sequence[np.ndarray]
    name: str = ""

    def __str__(self) -> str:
        return "-".join([self.op.__name__, self.name, *("x".join(map(str, a.shape)) or "0d" for a in self.arrays)])

    def leaves(self, device: Any = None, moved: Sequence[np.ndarray] | None = None) -> list[ndl.Tensor]:
        """The arrays (or `moved` in their place) as float64 leaves that require gradients."""
        return [ndl.Tensor(a, device=device, dtype="float64") for a in (self.arrays if moved is None else moved)]


def smooth(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal draws."""
    return np.random.default_rng(seed + len(shape)).standard_normal(shape)


def positive(*shape: int, seed: int = 1) -> np.ndarray:
    """Draws from 0.5 to 2."""
    return np.random.default_rng(seed).uniform(0.5, 2.0, shape)


def apart(*shape: int, seed: int = 2) -> np.ndarray:
    """Numbers of both signs, at least 0.1 from each other and from 0, in random order."""
    n = int(np.prod(shape))
    return np.random.default_rng(seed).permutation((np.arange(n) - n // 2) * 0.2 + 0.1).reshape(shape)


SHAPES = [(), (3,), (2, 3, 2), (0,), (2, 0, 3)]
PAIRS = [((), ()), ((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((4, 1, 3), (2, 1)), ((), (2, 3)), ((0, 3), (3,))]

UNARY: list[tuple[type[ndl.Op], Any, Any, Any]] = [
    (ops.Exp, ops.exp, np.exp, smooth),
    (ops.Log, ops.log, np.log, positive),
    (ops.Tanh, ops.tanh, np.tanh, smooth),
    (ops.ReLU, ops.relu, lambda a: np.maximum(a, 0), apart),
    (ops.Sigmoid, ops.sigmoid, scipy.special.expit, smooth),
    (ops.Sqrt, ops.sqrt, np.sqrt, positive),
    (ops.Sin, ops.sin, np.sin, smooth),
    (ops.Cos, ops.cos, np.cos, smooth),
    (ops.Abs, ops.abs, np.abs, apart),
    (ops.Sign, ops.sign, np.sign, apart),
    (ops.Negate, ops.negate, np.negative, smooth),
    (ops.FusedAddScalars, partial(ops.fused_add_scalars, c0=2.0, c1=-3), lambda a: (a + 2, a - 3), smooth),
]


def elementwise() -> Iterator[Case]:
    """Functions of one tensor, and of a tensor and numbers."""
    for shape in SHAPES:
        for op, function, reference, draw in UNARY:
            yield Case(op, function, reference, [draw(*shape)])
        a = smooth(*shape)
        for c in (2, -0.5):
            yield Case(ops.AddScalar, partial(ops.add_scalar, scalar=c), partial(np.add, c), [a], f"{c}")
            yield Case(ops.MulScalar, partial(ops.mul_scalar, scalar=c), partial(np.multiply, c), [a], f"{c}")
            yield Case(ops.DivScalar, partial(ops.divide_scalar, scalar=c), partial(np.multiply, 1 / c), [a], f"{c}")
        for c in (2, 3, 1, 0, -1, 0.5):
            reference = partial(lambda a, c: a**c, c=c)
            yield Case(ops.PowerScalar, partial(ops.power_scalar, scalar=c), reference, [positive(*shape)], f"{c}")
        y, g = apart(*shape), smooth(*shape, seed=10)
        yield Case(ops.ReLUGradient, ops.ReLUGradient(), lambda y, g: np.where(y > 0, g, 0), [y, g])
        yield Case(ops.Dropout, ops.Dropout(0.2), lambda a, m: 1.25 * a * m, [a, g])
        for low, high in ((-0.35, 0.35), (None, 0.2), (-0.2, None)):
            clip, reference = partial(ops.clip, low=low, high=high), partial(np.clip, a_min=low, a_max=high)
            yield Case(ops.Clip, clip, reference, [apart(*shape)], f"{low}-{high}")


COMPARISONS: list[tuple[type[ndl.Op], Any, Any]] = [
    (ops.Equal, ops.equal, np.equal),
    (ops.NotEqual, ops.not_equal, np.not_equal),
    (ops.Less, ops.less, np.less),
    (ops.LessEqual, ops.less_equal, np.less_equal),
    (ops.Greater, ops.greater, np.greater),
    (ops.GreaterEqual, ops.greater_equal, np.greater_equal),
]


def pairwise() -> Iterator[Case]:
    """Functions of tensors that broadcast together."""
    for left, right in PAIRS:
        a, b = smooth(*left), positive(*right, seed=5)
        yield Case(ops.EWiseAdd, ops.add, np.add, [a, b])
        yield Case(ops.EWiseMul, ops.multiply, np.multiply, [a, b])
        yield Case(ops.EWiseDiv, ops.divide, np.divide, [a, b])
        yield Case(ops.EWisePow, ops.power, np.power, [positive(*left), smooth(*right)])
        yield Case(ops.EWiseAdd, lambda a, b: a - b, np.subtract, [a, b], "minus")
        a, b = apart(*left), apart(*right, seed=8) + 0.05
        yield Case(ops.Maximum, ops.maximum, np.maximum, [a, b])
        yield Case(ops.Minimum, ops.minimum, np.minimum, [a, b])
        for op, function, reference in COMPARISONS:
            yield Case(op, function, reference, [a, b])
    for op, function, reference in COMPARISONS:
        constant = partial(lambda a, f, b: f(a, b), b=0.1)
        yield Case(op, partial(constant, f=function), partial(constant, f=reference), [apart(2, 3) + 0.05], "number")
    for condition, left, right in [((3,), (3,), (3,)), ((2, 1), (3,), (1, 3)), ((), (2,), ()), ((0, 2), (2,), (2,))]:
        choose = (partial(f, apart(*condition) > 0) for f in (ops.where, np.where))
        yield Case(ops.Where, *choose, [smooth(*left), positive(*right)], f"{condition}")
    numbers = [np.arange(4.0) % 2]
    yield Case(ops.Where, lambda c: ops.where(c, 2.0, -1), lambda c: np.where(c != 0, 2.0, -1), numbers, "numbers")


REDUCTIONS: list[tuple[type[ndl.Op], Any, Any]] = [
    (ops.Summation, ops.summation, np.sum),
    (ops.Mean, ops.mean, np.mean),
    (ops.Var, ops.var, np.var),
    (ops.Max, ops.max, np.max),
    (ops.Min, ops.min, np.min),
    (ops.LogSumExp, ops.logsumexp, scipy.special.logsumexp),
]

AXES = [None, 0, -1, (0, 2), (-1, 0), (), (2, 1, 0)]


def reductions() -> Iterator[Case]:
    """Sums and their kin over axes of all kinds, and the softmaxes."""
    for op, function, reference in REDUCTIONS:
        for axes in AXES:
            for keep in (False, True):
                ours = partial(function, axes=axes, keepdims=keep)
                yield Case(op, ours, partial(reference, axis=axes, keepdims=keep), [apart(2, 3, 2)], f"{axes}-{keep}")
        for shape, axes in [((), None), ((0, 3), 1), ((1,), 0)]:
            yield Case(op, partial(function, axes=axes), partial(reference, axis=axes), [apart(*shape)], f"{axes}")
    for shape, axes in [((0,), None), ((2, 0), 1)]:
        sums = partial(ops.summation, axes=axes), partial(np.sum, axis=axes)
        yield Case(ops.Summation, *sums, [smooth(*shape)], f"{axes}")
    for shape, axis in [((3,), -1), ((2, 3), -1), ((2, 3), 0), ((2, 3, 2), 1), ((0, 3), -1)]:
        softmaxes = partial(ops.softmax, axis=axis), partial(scipy.special.softmax, axis=axis)
        yield Case(ops.Softmax, *softmaxes, [smooth(*shape)], f"{axis}")
        logs = partial(ops.logsoftmax, axis=axis), partial(scipy.special.log_softmax, axis=axis)
        yield Case(ops.LogSoftmax, *logs, [smooth(*shape)], f"{axis}")
        pair = [smooth(*shape), smooth(*shape, seed=3)]
        yield Case(ops.SoftmaxGradient, ops.SoftmaxGradient(axis), partial(softmax_adjoint, axis=axis), pair, f"{axis}")
        logs = partial(logsoftmax_adjoint, axis=axis)
        yield Case(ops.LogSoftmaxGradient, ops.LogSoftmaxGradient(axis), logs, pair, f"{axis}")
    for shape in [(3, 4), (1, 1), (2, 1)]:
        rows = [smooth(*shape), positive(*shape)]
        yield Case(ops.SoftmaxLoss, ops.softmax_loss, cross_entropy, rows)
        yield Case(ops.SoftmaxLossGradient, ops.SoftmaxLossGradient(), cross_entropy_adjoint, [*rows, smooth()])


def cross_entropy(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The mean over rows of logsumexp(z) - sum(z y)."""
    return np.mean(scipy.special.logsumexp(z, axis=1) - np.sum(z * y, axis=1))


def softmax_adjoint(s: np.ndarray, g: np.ndarray, axis: int) -> np.ndarray:
    """g times the Jacobian of softmax, diag(s) - s s^T, for every run along the axis."""
    return s * g - s * np.sum(s * g, axis=axis, keepdims=True)


def logsoftmax_adjoint(y: np.ndarray, g: np.ndarray, axis: int) -> np.ndarray:
    """g times the Jacobian of log-softmax, 1 - exp(y) for every run along the axis."""
    return g - np.exp(y) * np.sum(g, axis=axis, keepdims=True)


def cross_entropy_adjoint(z: np.ndarray, y: np.ndarray, g: np.ndarray) -> np.ndarray:
    """(softmax(z) - y) g / n."""
    return (scipy.special.softmax(z, axis=1) - y) * g / len(z)


def normalizations() -> Iterator[Case]:
    """Layer and batch normalisation, their adjoints, and the moments of a batch."""
    for shape, axis in [((4, 3), -1), ((2, 3, 4), -1), ((4, 3), 0), ((0, 3), -1), ((2, 1), -1)]:
        function = ops.layer_norm if axis == -1 else ops.batch_norm
        x, weight, bias = smooth(*shape), smooth(shape[-1], seed=5), smooth(shape[-1], seed=6)
        of_axis = {"axis": axis, "eps": 0.1}
        reference = partial(normalized, **of_axis)
        yield Case(ops.Normalize, partial(function, eps=0.1), reference, [x, weight, bias], f"{axis}")
        adjoint = partial(normalized_adjoint, **of_axis)
        g = smooth(*shape, seed=7)
        yield Case(ops.NormalizeGradient, ops.NormalizeGradient(axis, 0.1), adjoint, [x, weight, g], f"{axis}")
    for shape in [(4, 3), (1, 2), (3, 0)]:
        x, mean, var = smooth(*shape), smooth(shape[-1], seed=8), positive(shape[-1], seed=9)
        yield Case(ops.Moments, ops.moments, lambda x: (np.mean(x, axis=0), np.var(x, axis=0)), [x])
        yield Case(ops.MovingMoments, ops.MovingMoments(0.2), moved_moments, [mean, var, x])


def moved_moments(mean: np.ndarray, var: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A fifth of the way from the old ones to those of x."""
    return mean + 0.2 * (np.mean(x, axis=0) - mean), var + 0.2 * (np.var(x, axis=0) - var)


def normalized(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, axis: int, eps: float) -> np.ndarray:
    """weight (x - mean) / sqrt(var + eps) + bias."""
    with np.errstate(all="ignore"):
        deviation = x - np.mean(x, axis=axis, keepdims=True)
        return weight * deviation / np.sqrt(np.var(x, axis=axis, keepdims=True) + eps) + bias


def normalized_adjoint(
    x: np.ndarray, weight: np.ndarray, g: np.ndarray, axis: int, eps: float
) -> tuple[np.ndarray, ...]:
    """g times the Jacobians of `normalized`, that of x written out: for every run of the axis an n x n matrix."""
    runs, weighted = np.moveaxis(x, axis, -1), np.moveaxis(g * weight, axis, -1)
    n, dx = runs.shape[-1], np.zeros_like(runs)
    for index in np.ndindex(runs.shape[:-1]):
        deviation = runs[index] - runs[index].mean()
        std = np.sqrt(np.var(runs[index]) + eps)
        jacobian = (np.eye(n) - 1 / n) / std - np.outer(deviation, deviation) / (n * std**3)
        dx[index] = weighted[index] @ jacobian
    rows = tuple(range(x.ndim - 1))
    normal = normalized(x, np.ones_like(weight), np.zeros_like(weight), axis, eps)
    return np.moveaxis(dx, -1, axis), np.sum(g * normal, axis=rows), np.sum(g, axis=rows)


def products() -> Iterator[Case]:
    """Matrix products: plain, batched, broadcast, empty."""
    batches = [((5, 2, 3), (3, 2)), ((2, 3), (4, 3, 2)), ((2, 1, 2, 3), (3, 3, 2)), ((1, 2, 3), (4, 3, 2))]
    empty = [((0, 3), (3, 2)), ((2, 0), (0, 3)), ((0, 2, 3), (3, 2))]
    for left, right in [((2, 3), (3, 4)), ((1, 1), (1, 1)), *batches, *empty]:
        yield Case(ops.MatMul, ops.matmul, np.matmul, [smooth(*left), smooth(*right, seed=4)])


def layouts() -> Iterator[Case]:
    """The same elements in another shape, order or dtype."""
    for shape, axes in [((2, 3), None), ((2, 3, 4), None), ((2, 3, 4), (0, 2)), ((2, 3), (-1, -2)), ((0, 3), (0, 1))]:
        first, second = axes or (-2, -1)
        swaps = partial(ops.transpose, axes=axes), partial(np.swapaxes, axis1=first, axis2=second)
        yield Case(ops.Transpose, *swaps, [smooth(*shape)], f"{axes}")
    for shape, axes in [((2, 3, 4), (2, 0, 1)), ((2, 3, 4), (-1, 1, 0)), ((), ()), ((2, 0), (1, 0))]:
        yield Case(ops.Permute, partial(ops.permute, axes=axes), partial(np.transpose, axes=axes), [smooth(*shape)])
    for shape, new in [((2, 3), (6,)), ((2, 3), (3, -1)), ((), (1, 1)), ((1,), ()), ((0, 3), (3, 0)), ((4,), -1)]:
        shaped = partial(ops.reshape, shape=new), partial(lambda a, shape: np.reshape(a, shape), shape=new)
        yield Case(ops.Reshape, *shaped, [smooth(*shape)], f"{new}")
    for shape, new in [
        ((3,), (2, 3)),
        ((2, 1), (2, 3)),
        ((), (2, 2)),
        ((1, 3, 1), (2, 3, 2)),
        ((1,), (0,)),
        ((2,), (2,)),
    ]:
        repeated = partial(ops.broadcast_to, shape=new), partial(np.broadcast_to, shape=new)
        yield Case(ops.BroadcastTo, *repeated, [smooth(*shape)], f"{new}")
    for shape, axes in [((3,), 0), ((2, 3), None), ((2, 3, 2), (0, -1)), ((2, 3), (1,)), ((0, 2), 1)]:
        yield Case(ops.Flip, partial(ops.flip, axes=axes), partial(np.flip, axis=axes), [smooth(*shape)], f"{axes}")
    for shape, axes, zeros in [
        ((2, 3), (0,), 1),
        ((2, 3), (0, -1), 2),
        ((3,), 0, 0),
        ((2, 2), (1, 5), 1),
        ((0, 2), 1, 1),
    ]:
        apply = partial(ops.dilate, axes=axes, dilation=zeros), partial(dilated, axes=axes, dilation=zeros)
        undo = partial(ops.undilate, axes=axes, dilation=zeros), partial(undilated, axes=axes, dilation=zeros)
        a = smooth(*shape)
        yield Case(ops.Dilate, *apply, [a], f"{axes}-{zeros}")
        yield Case(ops.UnDilate, *undo, [dilated(a, axes, zeros) + 1], f"{axes}-{zeros}")
    undo = partial(ops.undilate, axes=(0, 1), dilation=1), lambda a: a[::2, ::2]
    yield Case(ops.UnDilate, *undo, [smooth(3, 5)], "remainder")
    yield Case(ops.Cast, ops.Cast("float64"), np.array, [smooth(2, 3)])


def dilated(a: np.ndarray, axes: Any, dilation: int) -> np.ndarray:
    """`a` with zeros after every element along those of `axes` that exist, by a Kronecker product."""
    existing = [axis % a.ndim for axis in np.atleast_1d(axes) if axis < a.ndim]
    steps = [dilation + 1 if axis in existing else 1 for axis in range(a.ndim)]
    pattern = np.zeros(steps)
    pattern[(0,) * a.ndim] = 1
    return np.kron(a, pattern) if a.size else np.zeros([n * step for n, step in zip(a.shape, steps)])


def undilated(a: np.ndarray, axes: Any, dilation: int) -> np.ndarray:
    """Every (dilation + 1)-th element of `a` along those of `axes` that exist."""
    for axis in np.atleast_1d(axes):
        if axis < a.ndim:
            a = np.take(a, np.arange(0, a.shape[axis], dilation + 1), axis)
    return a


def joining() -> Iterator[Case]:
    """Joining, splitting, tuples."""
    for shape, axis in [((3,), 0), ((2, 3), 1), ((2, 3), -1), ((), 0), ((0, 2), 1)]:
        stacks = (partial(lambda *a, stack, axis: stack(a, axis), stack=f, axis=axis) for f in (ops.stack, np.stack))
        yield Case(ops.Stack, *stacks, [smooth(*shape, seed=seed) for seed in range(3)], f"{axis}")
    for shape, axis in [((3,), 0), ((2, 3), 1), ((2, 3, 2), -2), ((2, 0), 0), ((1, 2), 0)]:
        reference = partial(lambda a, axis: tuple(np.moveaxis(a, axis, 0)), axis=axis)
        yield Case(ops.Split, partial(ops.split, axis=axis), reference, [smooth(*shape)], f"{axis}")
    for shapes, axis in [([(2,), (3,)], 0), ([(2, 1), (2, 3), (2, 0)], 1), ([(1, 2), (2, 2)], -2), ([(3,)], 0)]:
        joins = (partial(lambda *a, f, axis: f(a, axis), f=f, axis=axis) for f in (ops.concatenate, np.concatenate))
        yield Case(ops.Concatenate, *joins, [smooth(*shape) for shape in shapes], f"{axis}")
    yield Case(ops.MakeTensorTuple, ops.make_tuple, lambda *a: a, [smooth(2), smooth(3, 1), smooth()])
    for i in (0, -1):
        read = partial(lambda *a, i: ops.tuple_get_item(ops.make_tuple(*a), i), i=i)
        yield Case(ops.TupleGetItem, read, partial(lambda *a, i: a[i], i=i), [smooth(2), smooth(3, 1)], f"{i}")


#: Shapes and what to index arrays of them with.
INDICES: list[tuple[tuple[int, ...], Any]] = [
    ((3,), 1),
    ((3, 4), (-1, slice(None))),
    ((3, 4), (slice(None), -2)),
    ((3, 4), (1, 2)),
    ((3, 4), slice(2, None, -1)),
    ((3, 4), (slice(None), slice(1, 4, 2))),
    ((3, 4), (..., 0)),
    ((2, 3, 2), (1, ..., None, slice(None, None, -1))),
    ((3, 4), (None, slice(5, 9))),
    ((3,), ()),
    ((), ...),
    ((0, 2), slice(None)),
    ((4,), np.array([0, 2, 0, 0])),
    ((3, 4), np.array([2, -1])),
    ((3, 4), (np.array([0, 2, 2]), np.array([1, -1, -1]))),
    ((3, 4), (slice(1, 3), np.array([0, 0, 3]))),
    ((2, 3, 2), (0, slice(None), np.array([[1, 0], [1, 1]]))),
    ((3, 4), np.arange(12).reshape(3, 4) % 3 == 0),
    ((3, 4), (np.array([True, False, True]), 1)),
    ((3,), np.array([], dtype=int)),
]


def indexing() -> Iterator[Case]:
    """Reading by NumPy's rules, and the transpose of reading: adding at those places."""
    for shape, index in INDICES:
        name = "".join(str(index).split())
        read = partial(lambda a, index: a[index], index=index)
        yield Case(ops.GetItem, read, read, [smooth(*shape)], name)
        add = partial(added_at, index=index, shape=shape)
        yield Case(ops.Scatter, ops.Scatter(index, shape), add, [smooth(*read(smooth(*shape)).shape)], name)


def identity_rows() -> Iterator[Case]:
    """One-hot rows of the whole part of numbers: indices must be whole, also when the numbers move a little."""

    def rows(a: ndl.Tensor) -> ndl.Tensor:
        return ops.OneHot(4, a.dtype)(ops.cast(a, "int64"))

    for shape in [(), (3,), (2, 2), (0,)]:
        numbers = np.arange(np.prod(shape)).reshape(shape) % 4 + 0.5
        yield Case(ops.OneHot, rows, lambda a: 1.0 * (np.floor(a)[..., None] == np.arange(4)), [numbers])


def added_at(g: np.ndarray, index: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Zeros with `g` added at ``[index]``."""
    out = np.zeros(shape)
    np.add.at(out, index, g)
    return out


CASES: list[Case] = [
    *elementwise(),
    *pairwise(),
    *reductions(),
    *normalizations(),
    *products(),
    *layouts(),
    *joining(),
    *indexing(),
    *identity_rows(),
    *(Case(*parts) for parts in linear_algebra()),
    *special(),
    *arranging(),
    *accumulating(),
]


def every_case(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test of a `case` with all cases of an operator, for each operator: one test of many is quicker than many.

    What fails is named by the operator and, in the message, by the case.
    """

    def of_operator(op: str, **fixtures: Any) -> None:
        for case in (case for case in CASES if case.op.__name__ == op):
            try:
                test(case=case, **fixtures)
            except Exception as error:
                raise AssertionError(f"{case}: {error}") from error

    fixtures = [parameter for name, parameter in inspect.signature(test).parameters.items() if name != "case"]
    one = inspect.Parameter("op", inspect.Parameter.KEYWORD_ONLY)
    of_operator.__name__, of_operator.__doc__ = test.__name__, test.__doc__
    of_operator.__signature__ = inspect.Signature([*fixtures, one])  # type: ignore[attr-defined]
    return pytest.mark.parametrize("op", sorted({case.op.__name__ for case in CASES}))(of_operator)


def operator_classes() -> set[type[ndl.Op]]:
    """Every operator class that `needle.ops` has: the public ones, and whatever else is no mere base class."""

    def below(kind: type[ndl.Op]) -> set[type[ndl.Op]]:
        return {kind}.union(*map(below, kind.__subclasses__()))

    defined = {kind for kind in below(ndl.Op) if kind.__module__.startswith("needle.ops")}
    bases = {base for kind in defined for base in kind.__mro__[1:]}
    public = {kind for kind in vars(ops).values() if inspect.isclass(kind) and kind in defined}
    return public | (defined - bases)
