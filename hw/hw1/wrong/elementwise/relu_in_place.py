"""The input is written to."""

FILE = "python/needle/ops/functions.py"


class ReLU:
    def compute(self, a):
        a[a < 0] = 0
        return a
