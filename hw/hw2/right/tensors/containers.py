"""Tensors throughout, as a student writes it who has not seen the helpers: recursion, sums, `.data`."""

FILE = "python/needle/nn/containers.py"


class Sequential:
    def forward(self, x):
        def apply(modules, x):
            return apply(modules[1:], modules[0](x)) if modules else x

        return apply(self.modules, x)


class Residual:
    def forward(self, x):
        y = self.fn(x)
        if tuple(y.shape) != tuple(x.shape):
            raise ValueError("Residual: fn changes the shape")
        return x + y
