"""Multiplied by a, not by exp(a)."""

FILE = "python/needle/ops/functions.py"


class Exp:
    def gradient(self, out_grad, node):
        return out_grad * node.inputs[0]
