"""Without axes, the first two are swapped: right for matrices only."""

from needle.ops import transpose

FILE = "python/needle/ops/shape.py"


class Transpose:
    def gradient(self, out_grad, node):
        return transpose(out_grad, self.axes or (0, 1))
