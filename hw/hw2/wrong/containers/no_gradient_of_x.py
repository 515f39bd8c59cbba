"""x is added as numbers: half of the gradient is missing."""

FILE = "python/needle/nn/containers.py"


class Residual:
    def forward(self, x):
        y = self.fn(x)
        if y.shape != x.shape:
            raise ValueError("shapes")
        return y + x.data
