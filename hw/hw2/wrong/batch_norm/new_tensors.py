"""The running estimates are replaced by other Tensors."""

from needle import ops

FILE = "python/needle/nn/normalization.py"


class BatchNorm1d:
    def forward(self, x):
        if self.training:
            mean, var = ops.mean(x, axes=0), ops.var(x, axes=0)
            self.running_mean = ((1 - self.momentum) * self.running_mean + self.momentum * mean).data
            self.running_var = ((1 - self.momentum) * self.running_var + self.momentum * var).data
            centered = x - mean
        else:
            centered, var = x - self.running_mean, self.running_var
        return self.weight * (centered / ops.sqrt(var + self.eps)) + self.bias
