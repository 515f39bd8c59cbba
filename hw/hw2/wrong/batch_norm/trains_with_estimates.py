"""While training the running estimates are used, after they were brought up to date."""

from needle import ops

FILE = "python/needle/nn/normalization.py"


class BatchNorm1d:
    def forward(self, x):
        if self.training:
            self._follow(self.running_mean, ops.mean(x, axes=0))
            self._follow(self.running_var, ops.var(x, axes=0))
        centered, var = x - self.running_mean, self.running_var
        return self.weight * (centered / ops.sqrt(var + self.eps)) + self.bias
