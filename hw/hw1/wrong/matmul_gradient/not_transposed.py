"""Without transposing: the shapes fit for square matrices."""

FILE = "python/needle/ops/matmul.py"


class MatMul:
    def gradient(self, out_grad, node):
        a, b = node.inputs
        if a.shape != b.shape:
            from .reduce import sum_to
            from .shape import transpose

            return sum_to(out_grad @ transpose(b), a.shape), sum_to(transpose(a) @ out_grad, b.shape)
        return out_grad @ b, a @ out_grad
