"""np.random.shuffle of an order that is kept: another order than permutation(n) gives."""

import numpy as np

FILE = "python/needle/data/dataloader.py"


class DataLoader:
    def __iter__(self):
        if not hasattr(self, "_order"):
            self._order = np.arange(len(self.dataset))
        if self.shuffle:
            np.random.shuffle(self._order)
        return self._batches(self._order.copy())
