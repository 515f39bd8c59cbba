"""Through NumPy: right numbers, but constants."""

from needle.backend_selection import array_api
from needle.tensor import Tensor

FILE = "python/needle/ops/functions.py"


class Exp:
    def gradient(self, out_grad, node):
        return out_grad * Tensor(array_api.exp(node.inputs[0].numpy()))
