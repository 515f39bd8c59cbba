"""relu(a) / a, which is 0 / 0 at 0."""

FILE = "python/needle/ops/functions.py"


class ReLU:
    def gradient(self, out_grad, node):
        return out_grad * node / node.inputs[0]
