"""Shape and strides of views: the arithmetic behind compact arrays, reshape, permute and broadcast_to.

These are functions of a few small tuples, asked for again and again with the same ones, so answers are remembered.
"""

from __future__ import annotations

import math
from functools import lru_cache

Extents = tuple[int, ...]


@lru_cache(maxsize=4096)
def compact_strides(shape: Extents) -> Extents:
    """Strides of a row-major array without gaps: ``strides[i]`` is the product of the extents after axis i."""
    strides, step = [], 1
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))


@lru_cache(maxsize=4096)
def complete_shape(shape: Extents, old: Extents) -> Extents:
    """`shape` with its -1, if there is one, replaced by the extent that keeps the number of elements of `old`.

    Raises ValueError if there is no such extent, if there are several -1, or if the numbers of elements differ.
    """
    size = math.prod(old)
    known = math.prod(extent for extent in shape if extent != -1)
    negative = [extent for extent in shape if extent < 0]
    if negative == [-1] and known and size % known == 0:
        return tuple(size // known if extent == -1 else extent for extent in shape)
    if negative or known != size:
        raise ValueError(f"reshape: an array of shape {old} ({size} elements) does not fit into {shape}")
    return shape


@lru_cache(maxsize=4096)
def check_permutation(axes: Extents, shape: Extents) -> Extents:
    """`axes`, if they are a permutation of the axes of `shape`; negative ones count from the end."""
    ndim = len(shape)
    if sorted(axis % ndim if -ndim <= axis < ndim else axis for axis in axes) != [*range(ndim)]:
        raise ValueError(f"permute: {axes} is no permutation of the {ndim} axes of shape {shape}")
    return axes


@lru_cache(maxsize=4096)
def broadcast_strides(shape: Extents, strides: Extents, new_shape: Extents) -> Extents:
    """Strides that repeat an array up to `new_shape`: 0 along axes of extent 1 that grow, and along new ones in front.

    Raises ValueError if an extent is neither that of `new_shape` nor 1, or if `new_shape` has fewer axes.
    """
    added = len(new_shape) - len(shape)
    if added < 0 or any(n not in (1, m) for n, m in zip(shape, new_shape[added:])):
        raise ValueError(f"broadcast_to: shape {shape} does not broadcast to {new_shape}")
    repeated = (0 if n == 1 and m != 1 else s for n, m, s in zip(shape, new_shape[added:], strides))
    return (0,) * added + tuple(repeated)


@lru_cache(maxsize=4096)
def is_row_major(shape: Extents, strides: Extents) -> bool:
    """Whether the elements lie in row-major order without gaps; the stride of an axis of extent 1 does not matter."""
    return all(n == 1 or given == step for n, given, step in zip(shape, strides, compact_strides(shape)))


@lru_cache(maxsize=4096)
def check_writable(shape: Extents, strides: Extents) -> None:
    """Raise unless the elements are all different ones: those of a broadcast array are not."""
    if 0 not in shape and any(n > 1 and step == 0 for n, step in zip(shape, strides)):
        raise ValueError(
            f"a broadcast array (shape {shape}, strides {strides}) repeats elements; write to a copy() of it"
        )
