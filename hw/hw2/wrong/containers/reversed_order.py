"""The modules are applied in reverse order."""

FILE = "python/needle/nn/containers.py"


class Sequential:
    def forward(self, x):
        for module in reversed(self.modules):
            x = module(x)
        return x
