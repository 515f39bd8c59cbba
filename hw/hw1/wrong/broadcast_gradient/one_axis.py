"""Only the first of the axes is summed."""

from needle.ops import summation

FILE = "python/needle/ops/reduce.py"


def sum_to(a, shape):
    from .shape import reshape

    if a.shape == shape:
        return a
    new = len(a.shape) - len(shape)
    axes = [i for i in range(len(a.shape)) if i < new or (shape[i - new] == 1 and a.shape[i] != 1)]
    return reshape(summation(a, axes[0]), shape)
