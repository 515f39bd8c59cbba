"""Mean and variance are taken as numbers, so that the gradient is wrong."""

from needle import ops

FILE = "python/needle/nn/normalization.py"


class BatchNorm1d:
    def forward(self, x):
        if self.training:
            mean = ops.mean(x.data, axes=0)
            centered = x - mean
            var = ops.var(x.data, axes=0)
            self._follow(self.running_mean, mean)
            self._follow(self.running_var, var)
        else:
            centered, var = x - self.running_mean, self.running_var
        return self.weight * (centered / ops.sqrt(var + self.eps)) + self.bias
