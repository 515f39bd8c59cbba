"""Loops over axes, and recursion, in the place of comprehensions."""

import math

FILE = "python/needle/backend_ndarray/layout.py"


def compact_strides(shape):
    if not shape:
        return ()
    return (math.prod(shape[1:]), *compact_strides(shape[1:]))


def is_row_major(shape, strides):
    expected = 1
    for axis in range(len(shape) - 1, -1, -1):
        if shape[axis] == 1:
            continue
        if strides[axis] != expected:
            return False
        expected = expected * shape[axis]
    return True


def complete_shape(shape, old):
    size, known, hole = 1, 1, None
    for extent in old:
        size *= extent
    for axis, extent in enumerate(shape):
        if extent < -1 or (extent == -1 and hole is not None):
            raise ValueError("this is no shape")
        if extent == -1:
            hole = axis
        else:
            known *= extent
    if hole is None:
        if known != size:
            raise ValueError("the number of elements differs")
        return shape
    if known == 0 or size % known:
        raise ValueError("no extent fits")
    done = list(shape)
    done[hole] = size // known
    return tuple(done)


def broadcast_strides(shape, strides, new_shape):
    result = []
    for back in range(1, len(new_shape) + 1):
        if back > len(shape):
            result.append(0)
        elif shape[-back] == new_shape[-back]:
            result.append(strides[-back])
        elif shape[-back] == 1:
            result.append(0)
        else:
            raise ValueError("extents differ")
    if len(shape) > len(new_shape):
        raise ValueError("too few axes")
    return tuple(result[::-1])
