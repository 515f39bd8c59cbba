"""In evaluation eps is added to the root."""

from needle import ops

FILE = "python/needle/nn/normalization.py"


class BatchNorm1d:
    def forward(self, x):
        if not self.training:
            centered = x - self.running_mean
            return self.weight * (centered / (ops.sqrt(self.running_var) + self.eps)) + self.bias
        mean, var = ops.mean(x, axes=0), ops.var(x, axes=0)
        self._follow(self.running_mean, mean)
        self._follow(self.running_var, var)
        return self.weight * ((x - mean) / ops.sqrt(var + self.eps)) + self.bias
