"""The factor 1 - momentum is missing."""

FILE = "python/needle/optim/sgd.py"


class SGD:
    def _updated(self, u, w, g):
        g = g + self.weight_decay * w
        u = self.momentum * u + g if self.momentum else g
        return u, w - self.lr * u
