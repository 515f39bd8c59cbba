"""Leading axes that are new are summed, leading extents of 1 are not."""

FILE = "python/needle/ops/matmul.py"


class MatMul:
    def gradient(self, out_grad, node):
        from .reduce import summation
        from .shape import transpose

        a, b = node.inputs
        grad_a, grad_b = out_grad @ transpose(b), transpose(a) @ out_grad
        grad_a = summation(grad_a, tuple(range(len(grad_a.shape) - len(a.shape))))
        grad_b = summation(grad_b, tuple(range(len(grad_b.shape) - len(b.shape))))
        return grad_a, grad_b
