"""The return is inside of the loop."""

FILE = "python/needle/nn/containers.py"


class Sequential:
    def forward(self, x):
        for module in self.modules:
            x = module(x)
            return x
        return x
