"""The second moment is not remembered."""

from needle.optim.optimizer import store

FILE = "python/needle/optim/adam.py"


class Adam:
    def step(self):
        self.t += 1
        for index, param, w, g in self.updates():
            m, _, w = self._updated(self.m[index].cached_data, self.v[index].cached_data, w, g)
            store(self.m[index], m)
            store(param, w)
        self.has_stepped()
