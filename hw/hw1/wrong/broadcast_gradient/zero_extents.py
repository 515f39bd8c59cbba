"""An extent of 1 that was repeated no times is not summed."""

from needle.ops import summation

FILE = "python/needle/ops/reduce.py"


def sum_to(a, shape):
    from .shape import reshape

    new = len(a.shape) - len(shape)
    axes = tuple(i for i, n in enumerate(a.shape) if i < new or (shape[i - new] == 1 and n > 1))
    return reshape(summation(a, axes), shape)
