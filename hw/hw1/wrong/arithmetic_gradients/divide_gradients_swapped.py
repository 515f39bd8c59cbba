"""The gradients stand in the wrong order."""

FILE = "python/needle/ops/elementwise.py"


class EWiseDiv:
    def gradient(self, out_grad, node):
        a, b = node.inputs
        return -out_grad * a / (b * b), out_grad / b
