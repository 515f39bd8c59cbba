"""exp(a), without the division by the sum."""

FILE = "python/needle/ops/logarithmic.py"


class LogSumExp:
    def gradient(self, out_grad, node):
        from .functions import exp

        (a,) = node.inputs
        return self.spread(out_grad, a.shape) * exp(a)
