"""1 / a alone."""

FILE = "python/needle/ops/functions.py"


class Log:
    def gradient(self, out_grad, node):
        return node.inputs[0] ** -1
