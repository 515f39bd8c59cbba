"""Numerator and denominator are swapped."""

FILE = "python/needle/ops/elementwise.py"


class EWiseDiv:
    def compute(self, a, b):
        return b / a
