"""Always the last two axes."""

from needle.backend_selection import array_api

FILE = "python/needle/ops/shape.py"


class Transpose:
    def compute(self, a):
        return array_api.swapaxes(a, -1, -2)
