"""Indexing as arithmetic on shape, strides and offset: what ``a[...]`` views, without touching an element."""

from __future__ import annotations

import operator
from typing import Any

Layout = tuple[tuple[int, ...], tuple[int, ...], int]


def normalize_slice(sl: slice, extent: int) -> slice:
    """`sl` along an axis of `extent` elements with start, stop and step filled in and inside the axis."""
    start, stop, step = sl.indices(extent)
    return slice(start, start + len(range(start, stop, step)) * step, step)


def index_view(shape: tuple[int, ...], strides: tuple[int, ...], offset: int, index: Any) -> Layout:
    """Shape, strides and offset of ``a[index]``.

    A slice start:stop:step moves the offset to `start` and multiplies the stride by `step`; an int i is the slice
    i:i+1, so its axis stays, with extent 1; None puts in a new axis; Ellipsis stands for as many ``:`` as are missing.
    A view without elements keeps `offset`: its first element would lie outside the buffer.
    """
    new_shape, new_strides = [], []
    axis, first = 0, offset
    for part in _expand_ellipsis(index if isinstance(index, tuple) else (index,), len(shape)):
        if part is None:
            new_shape.append(1)
            new_strides.append(0)
            continue
        if isinstance(part, slice):
            start, stop, step = part.indices(shape[axis])
            extent = len(range(start, stop, step))
        else:
            start, extent, step = _position(part, shape[axis], axis), 1, 1
        new_shape.append(extent)
        new_strides.append(strides[axis] * step)
        first += strides[axis] * start
        axis += 1
    return tuple(new_shape), tuple(new_strides), offset if 0 in new_shape else first


def flip_strides(
    shape: tuple[int, ...], strides: tuple[int, ...], offset: int, axes: tuple[int, ...]
) -> tuple[tuple[int, ...], int]:
    """Strides and offset of an array whose `axes` are walked backwards, from the last element.

    The offset of an array without elements stays what it is.
    """
    for axis in axes:
        offset += strides[axis] * (shape[axis] - 1) if 0 not in shape else 0
    return tuple(-s if axis in axes else s for axis, s in enumerate(strides)), offset


def _expand_ellipsis(parts: tuple[Any, ...], ndim: int) -> list[Any]:
    """`parts` with one entry for each axis (besides None), the Ellipsis and what is missing at the end written out."""
    given = sum(part is not None and part is not Ellipsis for part in parts)
    if given > ndim:
        raise IndexError(f"too many indices: {given} for an array with {ndim} axes")
    holes = [i for i, part in enumerate(parts) if part is Ellipsis]
    if len(holes) > 1:
        raise IndexError("an index can have only one ellipsis ('...')")
    hole = holes[0] if holes else len(parts)
    return [*parts[:hole], *[slice(None)] * (ndim - given), *parts[hole + 1 :]]


def _position(part: Any, extent: int, axis: int) -> int:
    """The position that the integer `part` means; a negative one counts from the end."""
    try:
        position = operator.index(part)
    except TypeError:
        raise IndexError(
            f"arrays are indexed by integers, slices, None and ..., not by {type(part).__name__}; "
            "take(array, indices, axis) gathers by an array of integers"
        ) from None
    if not -extent <= position < extent:
        raise IndexError(f"index {position} is out of bounds for axis {axis} with extent {extent}")
    return position % extent
