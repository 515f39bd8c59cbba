"""A copy, where a view is promised."""

from needle.backend_selection import array_api

FILE = "python/needle/ops/shape.py"


class Transpose:
    def compute(self, a):
        first, second = (-2, -1) if self.axes is None else self.axes
        return array_api.ascontiguousarray(array_api.swapaxes(a, first, second))
