"""Through NumPy: right numbers, but constants."""

from needle.tensor import Tensor

FILE = "python/needle/ops/shape.py"


class Reshape:
    def gradient(self, out_grad, node):
        return Tensor(out_grad.numpy().reshape(node.inputs[0].shape))
