"""The mean of the adjoints, not their sum."""

from needle.ops import summation

FILE = "python/needle/ops/reduce.py"


def sum_to(a, shape):
    from .shape import reshape

    new = len(a.shape) - len(shape)
    axes = tuple(i for i in range(len(a.shape)) if i < new or shape[i - new] == 1)
    count = 1
    for i in axes:
        count *= a.shape[i]
    return reshape(summation(a, axes), shape) / max(count, 1)
