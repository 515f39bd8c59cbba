"""The gradients of the factors are swapped."""

FILE = "python/needle/ops/matmul.py"


class MatMul:
    def gradient(self, out_grad, node):
        from .shape import transpose

        a, b = node.inputs
        return transpose(a) @ out_grad, out_grad @ transpose(b)
