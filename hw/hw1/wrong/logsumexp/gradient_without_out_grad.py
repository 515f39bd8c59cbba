"""softmax alone."""

FILE = "python/needle/ops/logarithmic.py"


class LogSumExp:
    def gradient(self, out_grad, node):
        from .functions import exp

        (a,) = node.inputs
        return exp(a - self.spread(node, a.shape)) + self.spread(out_grad, a.shape) * 0
