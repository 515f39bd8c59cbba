"""The absolute value for the positive part."""

from needle.backend_selection import array_api

FILE = "python/needle/ops/functions.py"


class ReLU:
    def compute(self, a):
        return array_api.abs(a)
