"""It goes uphill."""

FILE = "python/needle/optim/sgd.py"


class SGD:
    def _updated(self, u, w, g):
        g = g + self.weight_decay * w
        u = self.momentum * u + (1 - self.momentum) * g if self.momentum else g
        return u, w + self.lr * u
