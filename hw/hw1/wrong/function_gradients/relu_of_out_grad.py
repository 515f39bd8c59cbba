"""relu is applied to the adjoint."""

FILE = "python/needle/ops/functions.py"


class ReLU:
    def gradient(self, out_grad, node):
        from .functions import relu

        return relu(out_grad)
