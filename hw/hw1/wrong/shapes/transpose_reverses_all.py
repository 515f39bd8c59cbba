"""NumPy's transpose without axes reverses all of them."""

from needle.backend_selection import array_api

FILE = "python/needle/ops/shape.py"


class Transpose:
    def compute(self, a):
        return array_api.transpose(a)
