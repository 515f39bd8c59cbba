"""Other formulas for the same derivatives: powers for quotients, the output for the input, masks for comparisons."""

FILE = "python/needle/ops/matmul.py"


class MatMul:
    def compute(self, a, b):
        return a.__matmul__(b)

    def gradient(self, out_grad, node):
        from .reduce import sum_to
        from .shape import transpose

        a, b = node.inputs
        grad_a = transpose(b @ transpose(out_grad))
        grad_b = transpose(transpose(out_grad) @ a)
        return sum_to(grad_a, a.shape), sum_to(grad_b, b.shape)
