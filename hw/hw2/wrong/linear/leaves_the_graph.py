"""The bias is added as numbers."""

from needle import ops

FILE = "python/needle/nn/basic.py"


class Linear:
    def forward(self, x):
        y = ops.matmul(x, self.weight)
        return y if self.bias is None else y + ops.broadcast_to(self.bias.data, y.shape)
