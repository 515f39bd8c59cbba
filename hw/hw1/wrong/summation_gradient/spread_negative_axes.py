"""Axes that count from the end are not found."""

FILE = "python/needle/ops/reduce.py"


class Reduction:
    def spread(self, reduced, shape):
        from .shape import broadcast_to, reshape

        axes = range(len(shape)) if self.axes is None else (self.axes,) if isinstance(self.axes, int) else self.axes
        kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
        return broadcast_to(reshape(reduced, kept), shape)
