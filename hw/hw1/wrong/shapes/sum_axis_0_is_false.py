"""Axis 0 is false in an if, so everything is summed."""

from needle.backend_selection import array_api

FILE = "python/needle/ops/reduce.py"


class Summation:
    def compute(self, a):
        axes = self.axes if self.axes else None
        if isinstance(axes, list):
            axes = tuple(axes)
        return array_api.sum(a, axis=axes, keepdims=self.keepdims)
