"""Multiplied by the scalar instead of divided."""

FILE = "python/needle/ops/elementwise.py"


class DivScalar:
    def gradient(self, out_grad, node):
        return out_grad * self.scalar
