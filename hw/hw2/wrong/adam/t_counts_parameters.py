"""t grows with every parameter."""

from needle.optim.optimizer import store

FILE = "python/needle/optim/adam.py"


class Adam:
    def step(self):
        for index, param, w, g in self.updates():
            self.t += 1
            m, v, w = self._updated(self.m[index].cached_data, self.v[index].cached_data, w, g)
            store(self.m[index], m)
            store(self.v[index], v)
            store(param, w)
        self.has_stepped()
