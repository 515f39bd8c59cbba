"""No gradient for the one if the other is a constant."""

FILE = "python/needle/ops/matmul.py"


class MatMul:
    def gradient(self, out_grad, node):
        from .reduce import sum_to
        from .shape import transpose

        a, b = node.inputs
        if not (a.requires_grad and b.requires_grad):
            return None, None
        return sum_to(out_grad @ transpose(b), a.shape), sum_to(transpose(a) @ out_grad, b.shape)
