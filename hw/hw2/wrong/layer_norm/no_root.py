"""Divided by the variance."""

from needle import ops

FILE = "python/needle/nn/normalization.py"


class LayerNorm1d:
    def forward(self, x):
        centered = x - ops.mean(x, axes=-1, keepdims=True)
        var = ops.mean(centered * centered, axes=-1, keepdims=True)
        return self.weight * (centered / (var + self.eps)) + self.bias
