"""Weight decay is left out of the moment."""

FILE = "python/needle/optim/sgd.py"


class SGD:
    def _updated(self, u, w, g):
        u = self.momentum * u + (1 - self.momentum) * g if self.momentum else g
        return u, w - self.lr * (u + self.weight_decay * w)
