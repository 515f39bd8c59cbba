"""forward forgets the bias."""

from needle import ops

FILE = "python/needle/nn/basic.py"


class Linear:
    def forward(self, x):
        return ops.matmul(x, self.weight)
