"""Shapes are compared from the left."""

from needle.ops import summation

FILE = "python/needle/ops/reduce.py"


def sum_to(a, shape):
    from .shape import reshape

    padded = (*shape, *[1] * (len(a.shape) - len(shape)))
    axes = tuple(i for i, n in enumerate(padded) if n == 1)
    return reshape(summation(a, axes), shape)
