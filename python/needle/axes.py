"""Axes and shapes as people write them, turned into what loops need; each case is worked out once and remembered."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import index
from typing import Any

import numpy as np

Axes = int | Sequence[int] | None


def normalize_axes(axes: Axes, ndim: int, name: str) -> tuple[int, ...]:
    """`axes` as a sorted tuple of axes 0 .. ndim - 1; None stands for all. `name` is whose axes they are, in errors."""
    return _normalize(tuple(axes) if isinstance(axes, list) else axes, ndim, name)


@lru_cache(maxsize=1024)
def _normalize(axes: Any, ndim: int, name: str) -> tuple[int, ...]:
    if axes is None:
        return tuple(range(ndim))
    given = tuple(axes) if isinstance(axes, Sequence) else (index(axes),)
    for axis in given:
        if not -ndim <= axis < ndim:
            raise np.exceptions.AxisError(f"{name}: axis {axis} is out of bounds for {ndim} axes")
    positive = sorted(axis % ndim for axis in given)
    if len(set(positive)) < len(positive):
        raise ValueError(f"{name}: an axis stands twice in {given}")
    return tuple(positive)


@lru_cache(maxsize=1024)
def with_extent_1(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with extent 1 along `axes`: that of a reduction which keeps its axes."""
    return tuple(1 if axis in axes else extent for axis, extent in enumerate(shape))


@lru_cache(maxsize=1024)
def without(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` without `axes`: that of a reduction which drops them."""
    return tuple(extent for axis, extent in enumerate(shape) if axis not in axes)
