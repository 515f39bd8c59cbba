"""The derivative alone, without the adjoint of the output."""

FILE = "python/needle/ops/elementwise.py"


class Negate:
    def gradient(self, out_grad, node):
        return -(out_grad * 0 + 1)
