"""E[x^2] - E[x]^2, which loses all digits where the mean is large."""

from needle import ops

FILE = "python/needle/nn/normalization.py"


class LayerNorm1d:
    def forward(self, x):
        mean = ops.mean(x, axes=-1, keepdims=True)
        var = ops.mean(x * x, axes=-1, keepdims=True) - mean * mean
        return self.weight * ((x - mean) / ops.sqrt(var + self.eps)) + self.bias
