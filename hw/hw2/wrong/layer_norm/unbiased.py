"""The variance is divided by n - 1."""

from needle import ops

FILE = "python/needle/nn/normalization.py"


class LayerNorm1d:
    def forward(self, x):
        centered = x - ops.mean(x, axes=-1, keepdims=True)
        var = ops.summation(centered * centered, axes=-1, keepdims=True) / max(x.shape[-1] - 1, 1)
        return self.weight * (centered / ops.sqrt(var + self.eps)) + self.bias
