"""x is not added."""

FILE = "python/needle/nn/containers.py"


class Residual:
    def forward(self, x):
        return self.fn(x)
