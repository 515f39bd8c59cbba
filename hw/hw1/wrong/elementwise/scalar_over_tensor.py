"""The scalar is divided by the tensor."""

FILE = "python/needle/ops/elementwise.py"


class DivScalar:
    def compute(self, a):
        return self.scalar / a
