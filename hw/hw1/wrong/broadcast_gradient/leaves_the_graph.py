"""Through NumPy: right numbers, but constants."""

from needle.ops.reduce import sum_to
from needle.tensor import Tensor

FILE = "python/needle/ops/shape.py"


class BroadcastTo:
    def gradient(self, out_grad, node):
        return Tensor(sum_to(out_grad, node.inputs[0].shape).numpy())
