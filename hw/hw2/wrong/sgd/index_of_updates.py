"""The moments are counted by those parameters that have a gradient."""

from needle.optim.optimizer import store

FILE = "python/needle/optim/sgd.py"


class SGD:
    def step(self):
        for position, update in enumerate(self.updates()):
            _, param, w, g = update
            u = self.u[position] if self.momentum else None
            if u is not None and u.shape != param.shape:
                u.data = 0 * param.data
            new, w = self._updated(u.cached_data if u is not None else None, w, g)
            if u is not None:
                store(u, new)
            store(param, w)
        self.has_stepped()
