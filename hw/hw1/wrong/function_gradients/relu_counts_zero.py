"""1 at a = 0."""

FILE = "python/needle/ops/functions.py"


class ReLU:
    def gradient(self, out_grad, node):
        from .compare import greater_equal

        return out_grad * greater_equal(node.inputs[0], 0)
