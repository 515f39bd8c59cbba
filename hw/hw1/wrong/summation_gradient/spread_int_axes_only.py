"""Only for one axis, given as an int that is not negative."""

FILE = "python/needle/ops/reduce.py"


class Reduction:
    def spread(self, reduced, shape):
        from .shape import broadcast_to, reshape

        if self.axes is None:
            return broadcast_to(reshape(reduced, (1,) * len(shape)), shape)
        kept = tuple(1 if i == self.axes else n for i, n in enumerate(shape))
        return broadcast_to(reshape(reduced, kept), shape)
