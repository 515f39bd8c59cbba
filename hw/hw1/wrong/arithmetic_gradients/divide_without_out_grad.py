"""One of the two gradients is not multiplied by the adjoint."""

FILE = "python/needle/ops/elementwise.py"


class EWiseDiv:
    def gradient(self, out_grad, node):
        a, b = node.inputs
        return out_grad / b, -a / (b * b)
