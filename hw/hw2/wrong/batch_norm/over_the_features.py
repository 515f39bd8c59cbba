"""Mean and variance over the features."""

from needle import ops

FILE = "python/needle/nn/normalization.py"


class BatchNorm1d:
    def forward(self, x):
        if self.training:
            mean = ops.mean(x, axes=1, keepdims=True)
            centered = x - mean
            var = ops.mean(centered * centered, axes=1, keepdims=True)
            self._follow(self.running_mean, ops.mean(x, axes=0))
            self._follow(self.running_var, ops.var(x, axes=0))
        else:
            centered, var = x - self.running_mean, self.running_var
        return self.weight * (centered / ops.sqrt(var + self.eps)) + self.bias
