"""Loops over elements, axes and examples, where the library has one call."""

from needle.axes import normalize_axes
from needle.backend_selection import array_api
from needle.ops import summation

FILE = "python/needle/ops/reduce.py"


class Summation:
    def compute(self, a):
        axes = normalize_axes(self.axes, a.ndim, "summation")
        for axis in reversed(axes):
            a = array_api.sum(a, axis=axis, keepdims=self.keepdims)
        return a


class Reduction:
    def spread(self, reduced, shape):
        from .shape import broadcast_to, reshape

        axes = self.axes
        if axes is None:
            axes = range(len(shape))
        elif not isinstance(axes, (tuple, list)):
            axes = [axes]
        kept = list(shape)
        for axis in axes:
            kept[axis] = 1
        return broadcast_to(reshape(reduced, tuple(kept)), shape)


def sum_to(a, shape):
    from .shape import reshape

    padded = (1,) * (len(a.shape) - len(shape)) + tuple(shape)
    for axis in range(len(padded)):
        if padded[axis] != a.shape[axis]:
            a = summation(a, axis, keepdims=True)
    return reshape(a, shape)
