"""New axes in front are forgotten."""

from needle.ops import summation

FILE = "python/needle/ops/reduce.py"


def sum_to(a, shape):
    from .shape import reshape

    axes = tuple(i for i, n in enumerate(shape) if n == 1)
    return reshape(summation(a, axes), shape)
