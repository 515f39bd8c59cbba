"""The formulas as they stand in textbooks, each quantity with a name of its own."""

from needle import ops

FILE = "python/needle/nn/normalization.py"


class BatchNorm1d:
    def forward(self, x):
        if self.training:
            mean = ops.mean(x, axes=0)
            centered = x - mean
            var = ops.mean(centered * centered, axes=0)
            self._follow(self.running_mean, mean)
            self._follow(self.running_var, var)
        else:
            centered, var = x - self.running_mean, self.running_var
        return self.weight * (centered / ops.sqrt(var + self.eps)) + self.bias
