"""Other formulas for the same derivatives: powers for quotients, the output for the input, masks for comparisons."""

FILE = "python/needle/ops/elementwise.py"


class EWiseDiv:
    def compute(self, a, b):
        return a * b**-1.0

    def gradient(self, out_grad, node):
        b = node.inputs[1]
        by_a = out_grad / b
        return by_a, -(by_a * node)


class DivScalar:
    def compute(self, a):
        return a * (1 / self.scalar)

    def gradient(self, out_grad, node):
        return out_grad * (1 / self.scalar)


class Negate:
    def compute(self, a):
        return a * -1

    def gradient(self, out_grad, node):
        return out_grad * -1


class PowerScalar:
    def gradient(self, out_grad, node):
        a = node.inputs[0]
        if self.scalar == 0:
            return out_grad * 0
        return (a ** (self.scalar - 1)) * (out_grad * self.scalar)
