"""Always the last two axes."""

from needle.ops import transpose

FILE = "python/needle/ops/shape.py"


class Transpose:
    def gradient(self, out_grad, node):
        return transpose(out_grad)
