"""The exponent does not become c - 1."""

from needle.ops import power_scalar

FILE = "python/needle/ops/elementwise.py"


class PowerScalar:
    def gradient(self, out_grad, node):
        return out_grad * self.scalar * power_scalar(node.inputs[0], self.scalar)
