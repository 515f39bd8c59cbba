"""The first two axes are swapped: right for matrices only."""

FILE = "python/needle/ops/matmul.py"


class MatMul:
    def gradient(self, out_grad, node):
        from .reduce import sum_to
        from .shape import transpose

        a, b = node.inputs
        return sum_to(out_grad @ transpose(b, (0, 1)), a.shape), sum_to(transpose(a, (0, 1)) @ out_grad, b.shape)
