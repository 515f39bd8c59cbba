"""Mean and variance are taken as numbers."""

from needle import ops

FILE = "python/needle/nn/normalization.py"


class LayerNorm1d:
    def forward(self, x):
        mean = ops.mean(x.data, axes=-1, keepdims=True)
        var = ops.var(x.data, axes=-1, keepdims=True)
        return self.weight * ((x - mean) / ops.sqrt(var + self.eps)) + self.bias
