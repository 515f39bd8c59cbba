"""Through NumPy: right numbers, but constants."""

from needle.tensor import Tensor

FILE = "python/needle/ops/elementwise.py"


class EWiseDiv:
    def gradient(self, out_grad, node):
        a, b = node.inputs
        g, x, y = out_grad.numpy(), a.numpy(), b.numpy()
        return Tensor(g / y), Tensor(-g * x / y**2)
