"""Adjoint and output broadcast as they are: right if the summed axes are in front."""

FILE = "python/needle/ops/logarithmic.py"


class LogSumExp:
    def gradient(self, out_grad, node):
        from .functions import exp

        (a,) = node.inputs
        return exp(a - node) * out_grad
