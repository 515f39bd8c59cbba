"""t is one too large."""

from needle.optim.optimizer import store

FILE = "python/needle/optim/adam.py"


class Adam:
    def step(self):
        self.t += 1 if self.t else 2
        for index, param, w, g in self.updates():
            m, v, w = self._updated(self.m[index].cached_data, self.v[index].cached_data, w, g)
            store(self.m[index], m)
            store(self.v[index], v)
            store(param, w)
        self.has_stepped()
