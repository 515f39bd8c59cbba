"""a ** 0 at a = 0 gives 0 * (1 / 0)."""

from needle.ops import power_scalar

FILE = "python/needle/ops/elementwise.py"


class PowerScalar:
    def gradient(self, out_grad, node):
        (a,) = node.inputs
        return out_grad * self.scalar * power_scalar(a, self.scalar - 1)
