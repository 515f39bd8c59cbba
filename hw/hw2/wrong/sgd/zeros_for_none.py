"""reset_grad sets gradients to zero."""

from needle import init

FILE = "python/needle/optim/optimizer.py"


class Optimizer:
    def reset_grad(self):
        for param in self.params:
            param.grad = init.zeros_like(param, dtype=param.dtype)
