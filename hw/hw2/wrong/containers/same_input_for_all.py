"""Each module gets x."""

FILE = "python/needle/nn/containers.py"


class Sequential:
    def forward(self, x):
        y = x
        for module in self.modules:
            y = module(x)
        return y
