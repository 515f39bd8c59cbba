"""The moment is not remembered."""

from needle.optim.optimizer import store

FILE = "python/needle/optim/sgd.py"


class SGD:
    def step(self):
        for index, param, w, g in self.updates():
            _, w = self._updated(self.u[index].cached_data if self.momentum else None, w, g)
            store(param, w)
        self.has_stepped()
