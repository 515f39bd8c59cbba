"""NumPy and loops: arrays in the optimizers, samples one by one, other formulas for the same numbers."""

FILE = "python/needle/optim/sgd.py"


class SGD:
    def _updated(self, u, w, g):
        g = g + self.weight_decay * w
        if u is None:
            return None, w - self.lr * g
        u = u + (1 - self.momentum) * (g - u)
        return u, w - self.lr * u
