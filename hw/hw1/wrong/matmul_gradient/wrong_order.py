"""The factors are in the wrong order."""

FILE = "python/needle/ops/matmul.py"


class MatMul:
    def gradient(self, out_grad, node):
        from .shape import transpose

        a, b = node.inputs
        return transpose(b) @ out_grad, out_grad @ transpose(a)
