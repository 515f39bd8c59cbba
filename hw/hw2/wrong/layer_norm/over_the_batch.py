"""Mean and variance over the batch."""

from needle import ops

FILE = "python/needle/nn/normalization.py"


class LayerNorm1d:
    def forward(self, x):
        centered = x - ops.mean(x, axes=0, keepdims=True)
        var = ops.mean(centered * centered, axes=0, keepdims=True)
        return self.weight * (centered / ops.sqrt(var + self.eps)) + self.bias
