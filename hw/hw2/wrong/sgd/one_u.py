"""One moment for all parameters."""

from needle.optim.optimizer import store

FILE = "python/needle/optim/sgd.py"


class SGD:
    def step(self):
        for _, param, w, g in self.updates():
            u = self.u[0].cached_data if self.momentum else None
            if u is not None and u.shape != w.shape:
                u = 0 * w
            u, w = self._updated(u, w, g)
            if self.momentum:
                store(self.u[0], u)
            store(param, w)
        self.has_stepped()
