"""Weight decay is written into the gradient."""

from needle.optim.optimizer import store

FILE = "python/needle/optim/sgd.py"


class SGD:
    def step(self):
        for index, param, w, g in self.updates():
            g += self.weight_decay * w
            if self.momentum:
                store(self.u[index], self.momentum * self.u[index].cached_data + (1 - self.momentum) * g)
                g = self.u[index].cached_data
            store(param, w - self.lr * g)
        self.has_stepped()
