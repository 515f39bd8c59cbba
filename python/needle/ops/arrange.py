"""Elements put in other places: padding, tiling, rolling, triangles and diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as as_int
from typing import Any

import numpy as np

from ..autograd import TensorOp
from ..axes import normalize_axes
from ..backend_selection import array_api
from ..tensor import Tensor
from .indexing import Scatter, getitem
from .matching import scalar_of
from .reduce import summation
from .rules import AlongAxes, Linear, behind, changed
from .shape import broadcast_to, reshape, section

__all__ = [
    "Diagonal",
    "Pad",
    "Roll",
    "Tile",
    "Trace",
    "Tril",
    "Triu",
    "diagonal",
    "pad",
    "roll",
    "tile",
    "trace",
    "tril",
    "triu",
]

# Around and beside ----------------------------------------------------------------------------------------------------


class Pad(AlongAxes, TensorOp):
    """A number around the elements; the adjoint is the section where they stand."""

    def __init__(self, widths: tuple[tuple[int, int], ...], value: float = 0) -> None:
        self.widths = widths
        self.value = value

    def compute(self, a: Any) -> Any:
        """An array of the value, with `a` set in its midst."""
        shape = tuple(before + n + after for n, (before, after) in zip(a.shape, self.widths))
        out = array_api.full(shape, self.value, dtype=a.dtype, device=a.device)
        out[self.section(a.shape)] = a
        return out

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """The padding depends on nothing."""
        return getitem(out_grad, self.section(node.inputs[0].shape))

    def jvp(self, tangents: tuple[Any, ...], node: Tensor) -> Tensor:
        """The padding does not move: its tangent is 0."""
        return changed(self, value=0)(*tangents)

    def section(self, shape: tuple[int, ...]) -> tuple[slice, ...]:
        """The index at which the elements of the input, which has this shape, stand in the output."""
        return tuple(slice(before, before + n) for n, (before, _) in zip(shape, self.widths))

    def behind_first_axis(self, ndim: int) -> Pad:
        """The same widths, none for the axis in front."""
        return Pad(((0, 0), *self.widths), self.value)


def pad(a: Tensor, widths: int | Sequence[Any], value: float = 0) -> Tensor:
    """Put a number before the first and after the last element along every axis.

    Parameters
    ----------
    a : Tensor
        Of any shape.
    widths : int, pair of ints, or one pair per axis
        How many to add: (before, after). One pair serves all axes, one int all sides, as in ``numpy.pad``.
    value : float
        The number. An integer tensor takes integers only.

    Returns
    -------
    Tensor
        Axis i has ``before + a.shape[i] + after`` elements; the dtype is that of `a`.

    Raises
    ------
    ValueError
        If there are more or fewer pairs than axes, a width is negative, or `a` cannot hold `value`.
    TypeError
        If a width is no int.
    """
    try:
        given = np.asarray(widths)
        if given.size and given.dtype.kind not in "iu":
            raise TypeError(f"pad: widths are ints, how many elements to add on each side; got {widths!r}")
        pairs = np.broadcast_to(given if given.size else given.reshape(0, 2), (a.ndim, 2)).tolist()
    except ValueError:
        raise ValueError(
            f"pad: widths {widths!r} do not fit a tensor of shape {a.shape}: give an int, a pair (before, after), "
            "or one pair for each axis"
        ) from None
    if any(before < 0 or after < 0 for before, after in pairs):
        raise ValueError(f"pad: widths cannot be negative, got {widths!r}; a slice cuts elements off")
    number = scalar_of(value, "pad")
    if isinstance(number, float) and not a.dtype.startswith("float"):
        raise ValueError(f"pad: a tensor of dtype {a.dtype} cannot hold the value {number}; cast it first")
    return Pad(tuple((before, after) for before, after in pairs), number)(a)


class Tile(Linear, TensorOp):
    """The whole tensor, repeated along its axes and along new ones in front; the adjoint is summed over the copies."""

    def __init__(self, reps: tuple[int, ...]) -> None:
        self.reps = reps

    def compute(self, a: Any) -> Any:
        """An axis of copies in front of every axis, and then both as one."""
        shape, counts = self.aligned(a.shape)
        apart = array_api.reshape(a, _interleaved((1,) * len(shape), shape))
        copies = array_api.broadcast_to(apart, _interleaved(counts, shape))
        return array_api.reshape(copies, tuple(count * n for count, n in zip(counts, shape)))

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """An element gets the sum of the adjoints of its copies."""
        shape, counts = self.aligned(node.inputs[0].shape)
        apart = reshape(out_grad, _interleaved(counts, shape))
        return reshape(summation(apart, tuple(range(0, 2 * len(shape), 2))), node.inputs[0].shape)

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Tensor:
        """New axes go between the examples and their own axes."""
        shape, counts = self.aligned(inputs[0].shape[1:])
        return Tile((1, *counts))(reshape(inputs[0], (size, *shape)))

    def aligned(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shape and the repetitions, both with ones in front so that they are of one length."""
        ndim = max(len(shape), len(self.reps))
        return (1,) * (ndim - len(shape)) + shape, (1,) * (ndim - len(self.reps)) + self.reps


def _interleaved(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(extent for pair in zip(first, second) for extent in pair)


def tile(a: Tensor, reps: int | Sequence[int]) -> Tensor:
    """Repeat the whole tensor along its axes.

    Parameters
    ----------
    a : Tensor
        Of any shape.
    reps : int or sequence of ints
        How often along each axis, counted from the last; axes that are not named are not repeated. More repetitions
        than axes make new axes in front. 0 gives an empty tensor.

    Returns
    -------
    Tensor
        Along each axis as many elements as `a` has there, times its repetitions.

    Raises
    ------
    ValueError
        If a repetition is negative.
    TypeError
        If one is no int.
    """
    counts = _ints(reps, "tile: reps")
    if any(count < 0 for count in counts):
        raise ValueError(f"tile: reps says how often to repeat along each axis and cannot be negative, got {reps!r}")
    return Tile(counts)(a)


class Roll(Linear, AlongAxes, TensorOp):
    """Elements moved on along axes, those from the end to the front; the adjoint is moved back.

    Without axes, the elements move through the flattened tensor.
    """

    def __init__(self, shifts: tuple[int, ...], axes: tuple[int, ...] | None) -> None:
        self.shifts = shifts
        self.axes = axes

    def compute(self, a: Any) -> Any:
        """For each axis its end, and then its beginning."""
        if self.axes is None:
            return array_api.reshape(Roll(self.shifts, (0,)).compute(array_api.reshape(a, (-1,))), a.shape)
        for shift, axis in zip(self.shifts, self.axes):
            n, position = a.shape[axis], axis % a.ndim
            kept = n - shift % n if n else 0
            a = array_api.concatenate([a[section(position, kept, n)], a[section(position, 0, kept)]], axis)
        return a

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """The opposite shifts."""
        return Roll(tuple(-shift for shift in self.shifts), self.axes)(out_grad)

    def batch(self, inputs: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> Any:
        """The same axes, further back; each example flattened, if there are none."""
        if self.axes is not None:
            return super().batch(inputs, batched, size)
        (a,) = inputs
        example_size = int(np.prod(a.shape[1:]))
        return reshape(Roll(self.shifts, (1,))(reshape(a, (size, example_size))), a.shape)

    def behind_first_axis(self, ndim: int) -> Roll:
        """The same shifts along axes that are further back by one."""
        return Roll(self.shifts, None if self.axes is None else tuple(map(behind, self.axes)))


def roll(a: Tensor, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Tensor:
    """Move all elements on by some places; those that leave at the end come in again at the front.

    Parameters
    ----------
    a : Tensor
        Of any shape.
    shift : int or sequence of ints
        By how many places; backwards if negative. One for each axis, or one for all of them.
    axis : int or sequence of ints, optional
        Along which axes. An axis that is named twice is moved along twice. By default the tensor is flattened, moved
        and brought into its shape again.

    Returns
    -------
    Tensor
        With the shape and dtype of `a`; element ``[i]`` of an axis is ``[(i - shift) % n]`` of `a`.

    Raises
    ------
    ValueError
        If an axis does not exist, or shifts and axes are not equally many.
    TypeError
        If a shift is no int.
    """
    shifts = _ints(shift, "roll: shift")
    if axis is None:
        return Roll((sum(shifts),), None)(a)
    axes = tuple(normalize_axes(one, a.ndim, "roll")[0] for one in _ints(axis, "roll: axis"))
    if len(shifts) != len(axes) and 1 not in (len(shifts), len(axes)):
        raise ValueError(f"roll: {len(shifts)} shifts for {len(axes)} axes: give one for each axis, or one for all")
    n = max(len(shifts), len(axes)) if shifts and axes else 0
    return Roll((shifts * n)[:n], (axes * n)[:n])(a)


def _ints(given: Any, what: str) -> tuple[int, ...]:
    """`given` as a tuple of ints; `what` it is, in the error."""
    try:
        return tuple(map(as_int, given)) if isinstance(given, (Sequence, np.ndarray)) else (as_int(given),)
    except TypeError:
        raise TypeError(f"{what} must be an int or a sequence of ints, got {given!r}") from None


# Triangles and diagonals of matrices: of the last two axes ------------------------------------------------------------


class _Triangle(Linear, AlongAxes, TensorOp):
    """What `Tril` and `Triu` share."""

    def __init__(self, k: int = 0) -> None:
        self.k = k

    def keep(self, rows: int, columns: int) -> np.ndarray:
        """1 for the elements of a matrix that stay, 0 for the others."""
        raise NotImplementedError

    def compute(self, a: Any) -> Any:
        """A selection: what is not kept is 0, also if it was infinite."""
        zeros = array_api.zeros(a.shape[-2:], dtype="float32", device=a.device)
        kept = zeros + self.keep(*a.shape[-2:])
        return array_api.where(kept, a, 0).astype(a.dtype)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """The same triangle of the adjoint."""
        return self(out_grad)

    def behind_first_axis(self, ndim: int) -> _Triangle:
        """The same: it is about the last two axes."""
        return self


class Tril(_Triangle):
    """The elements with column - row <= k, 0 for the others; of the adjoint as well."""

    def keep(self, rows: int, columns: int) -> np.ndarray:
        """On the k-th diagonal and below."""
        return np.tri(rows, columns, self.k, dtype="float32")


class Triu(_Triangle):
    """The elements with column - row >= k, 0 for the others; of the adjoint as well."""

    def keep(self, rows: int, columns: int) -> np.ndarray:
        """On the k-th diagonal and above."""
        return 1 - np.tri(rows, columns, self.k - 1, dtype="float32")


def tril(a: Tensor, k: int = 0) -> Tensor:
    """Lower triangle: `a` with zeros above the k-th diagonal of its last two axes.

    Parameters
    ----------
    a : Tensor
        Of shape (..., rows, columns).
    k : int
        0 for the main diagonal, 1 for that above, -1 for that below, and so on.

    Returns
    -------
    Tensor
        With the shape and dtype of `a`. Elements that are not kept are exactly 0, whatever they were.

    Raises
    ------
    ValueError
        If `a` has fewer than two axes.
    """
    return Tril(_matrix_option(a, k, "tril", "k"))(a)


def triu(a: Tensor, k: int = 0) -> Tensor:
    """Upper triangle: `a` with zeros below the k-th diagonal of its last two axes; else as `tril`."""
    return Triu(_matrix_option(a, k, "triu", "k"))(a)


class Diagonal(Linear, AlongAxes, TensorOp):
    """The elements with column - row = offset; the adjoint is zeros with g in their places."""

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset

    def compute(self, a: Any) -> Any:
        """Every (columns + 1)-th element of the flattened matrices."""
        index = (*(slice(None),) * (a.ndim - 2), self.places(a.shape))
        return array_api.reshape(a, _flattened(a.shape))[index]

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """Zeros at the elements that were not read."""
        return self.spread(out_grad, node.inputs[0].shape)

    def places(self, shape: tuple[int, ...]) -> slice:
        """Where the elements of the diagonal stand in a flattened matrix."""
        rows, columns = shape[-2:]
        length = max(0, min(rows + min(self.offset, 0), columns - max(self.offset, 0)))
        start = max(self.offset, 0) - min(self.offset, 0) * columns
        return slice(start, start + length * (columns + 1), columns + 1) if length else slice(0, 0)

    def spread(self, diagonals: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Matrices of zeros, together of this shape, with these diagonals."""
        return reshape(Scatter((..., self.places(shape)), _flattened(shape))(diagonals), shape)

    def behind_first_axis(self, ndim: int) -> Diagonal:
        """The same: it is about the last two axes."""
        return self


class Trace(Diagonal):
    """The sum of the elements with column - row = offset; the adjoint is zeros with g on that diagonal."""

    def compute(self, a: Any) -> Any:
        """The sum of the diagonal."""
        return array_api.sum(super().compute(a), axis=-1)

    def gradient(self, out_grad: Tensor, node: Tensor) -> Tensor:
        """Every element of the diagonal enters the sum with weight 1."""
        shape = node.inputs[0].shape
        places = self.places(shape)
        length = len(range(places.start, places.stop, places.step or 1))
        repeated = broadcast_to(reshape(out_grad, (*out_grad.shape, 1)), (*out_grad.shape, length))
        return self.spread(repeated, shape)


def diagonal(a: Tensor, offset: int = 0) -> Tensor:
    """The diagonal of the last two axes.

    Parameters
    ----------
    a : Tensor
        Of shape (..., rows, columns).
    offset : int
        0 for the main diagonal, 1 for that above, -1 for that below, and so on.

    Returns
    -------
    Tensor
        Of shape (..., length): empty, if the matrix has no such diagonal.

    Raises
    ------
    ValueError
        If `a` has fewer than two axes.

    Notes
    -----
    As ``numpy.linalg.diagonal``; ``numpy.diagonal`` takes the first two axes of an array that has more.
    """
    return Diagonal(_matrix_option(a, offset, "diagonal", "offset"))(a)


def trace(a: Tensor, offset: int = 0) -> Tensor:
    """The sum of the diagonal of the last two axes: of shape ``a.shape[:-2]``; else as `diagonal`.

    Integers are summed in int64. As ``numpy.linalg.trace``; ``numpy.trace`` takes the first two axes.
    """
    return Trace(_matrix_option(a, offset, "trace", "offset"))(a)


def _flattened(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with its last two axes as one."""
    return (*shape[:-2], shape[-2] * shape[-1])


def _matrix_option(a: Tensor, number: int, name: str, option: str) -> int:
    """The number of a diagonal, checked; `a` must have one."""
    if a.ndim < 2:
        raise ValueError(f"{name}: needs a tensor with two axes or more, got one of shape {a.shape}")
    try:
        return as_int(number)
    except TypeError:
        raise TypeError(f"{name}: {option} is the number of a diagonal, an int; got {number!r}") from None
