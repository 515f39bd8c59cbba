"""Extents of 1 that were repeated are forgotten."""

from needle.ops import summation

FILE = "python/needle/ops/reduce.py"


def sum_to(a, shape):
    from .shape import reshape

    axes = tuple(range(len(a.shape) - len(shape)))
    return reshape(summation(a, axes), shape)
