"""No axes to sum over are taken for all of them."""

from needle.ops import summation

FILE = "python/needle/ops/reduce.py"


def sum_to(a, shape):
    from .shape import reshape

    new = len(a.shape) - len(shape)
    axes = tuple(i for i in range(len(a.shape)) if i < new or (shape[i - new] == 1 and a.shape[i] != 1))
    return reshape(summation(a, axes or None), shape)
