"""Tensors throughout, as a student writes it who has not seen the helpers: recursion, sums, `.data`."""

FILE = "python/needle/optim/sgd.py"


class SGD:
    def step(self):
        for i, param in enumerate(self.params):
            if param.grad is None:
                continue
            g = param.grad.data + self.weight_decay * param.data
            if self.momentum:
                self.u[i].data = self.momentum * self.u[i].data + (1 - self.momentum) * g
                g = self.u[i].data
            param.data = param.data - self.lr * g
