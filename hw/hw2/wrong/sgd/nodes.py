"""The parameter becomes a node of a graph."""

FILE = "python/needle/optim/sgd.py"


class SGD:
    def step(self):
        for param in self.params:
            if param.grad is not None:
                g = param.grad + self.weight_decay * param
                if self.momentum:
                    u = self.u[self.params.index(param)]
                    u.data = self.momentum * u.data + (1 - self.momentum) * g.data
                    g = u
                new = param - self.lr * g
                param.cached_data, param.op, param.inputs = new.cached_data, new.op, new.inputs
        self.has_stepped()
