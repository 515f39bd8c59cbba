"""The estimates follow in evaluation, too."""

from needle import ops

FILE = "python/needle/nn/normalization.py"


class BatchNorm1d:
    def forward(self, x):
        mean = ops.mean(x, axes=0)
        centered = x - mean
        var = ops.mean(centered * centered, axes=0)
        if not self.training:
            centered, v = x - self.running_mean, self.running_var.data
            self._follow(self.running_mean, mean)
            self._follow(self.running_var, var)
            var = v
        else:
            self._follow(self.running_mean, mean)
            self._follow(self.running_var, var)
        return self.weight * (centered / ops.sqrt(var + self.eps)) + self.bias
