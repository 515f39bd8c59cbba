"""The adjoint is passed on as it is."""

FILE = "python/needle/ops/shape.py"


class Reshape:
    def gradient(self, out_grad, node):
        return out_grad
