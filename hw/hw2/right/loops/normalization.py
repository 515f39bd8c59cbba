"""NumPy and loops: arrays in the optimizers, samples one by one, other formulas for the same numbers."""

from needle import ops

FILE = "python/needle/nn/normalization.py"


class LayerNorm1d:
    def forward(self, x):
        mean = ops.mean(x, axes=-1, keepdims=True)
        scale = (ops.var(x, axes=-1, keepdims=True) + self.eps) ** -0.5
        return (x - mean) * scale * self.weight + self.bias


class BatchNorm1d:
    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = ops.mean(x, axes=(0,)), ops.var(x, axes=(0,))
            for running, observed in ((self.running_mean, mean), (self.running_var, var)):
                running.data = running.data + self.momentum * (observed.detach() - running.data)
        scale = self.weight / ops.sqrt(var + self.eps)
        return x * scale + (self.bias - mean * scale)
