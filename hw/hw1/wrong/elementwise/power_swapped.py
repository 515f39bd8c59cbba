"""Base and exponent are swapped."""

FILE = "python/needle/ops/elementwise.py"


class PowerScalar:
    def compute(self, a):
        return self.scalar**a
