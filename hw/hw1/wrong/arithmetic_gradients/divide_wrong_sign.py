"""The sign of the denominator's gradient is missing."""

FILE = "python/needle/ops/elementwise.py"


class EWiseDiv:
    def gradient(self, out_grad, node):
        a, b = node.inputs
        return out_grad / b, out_grad * a / (b * b)
