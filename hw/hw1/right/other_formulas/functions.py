"""Other formulas for the same derivatives: powers for quotients, the output for the input, masks for comparisons."""

from needle.ops import exp
from needle.tensor import Tensor

FILE = "python/needle/ops/functions.py"


class ReLU:
    def compute(self, a):
        return a * (a > 0)

    def gradient(self, out_grad, node):
        positive = node.inputs[0].realize_cached_data() > 0
        return out_grad * Tensor(positive, dtype=out_grad.dtype, requires_grad=False)


class Exp:
    def gradient(self, out_grad, node):
        return exp(node.inputs[0]) * out_grad


class Log:
    def gradient(self, out_grad, node):
        return out_grad * node.inputs[0] ** -1
