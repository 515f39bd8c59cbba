"""NumPy and loops: arrays in the optimizers, samples one by one, other formulas for the same numbers."""

from needle.backend_selection import array_api
from needle.optim.optimizer import store

FILE = "python/needle/optim/adam.py"


class Adam:
    def step(self):
        self.t += 1
        for index, param, w, g in self.updates():
            if self.weight_decay:
                g = g + self.weight_decay * w
            m, v = self.m[index].cached_data, self.v[index].cached_data
            m = m + (1 - self.beta1) * (g - m)
            v = v + (1 - self.beta2) * (g**2 - v)
            store(self.m[index], m)
            store(self.v[index], v)
            rate = self.lr / (1 - self.beta1**self.t)
            store(param, w - rate * m / (array_api.sqrt(v / (1 - self.beta2**self.t)) + self.eps))
        self.has_stepped()
