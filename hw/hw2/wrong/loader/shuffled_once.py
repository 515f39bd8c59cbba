"""The order is drawn once and for all."""

import numpy as np

FILE = "python/needle/data/dataloader.py"


class DataLoader:
    def __iter__(self):
        n = len(self.dataset)
        if not hasattr(self, "_order"):
            self._order = np.random.permutation(n) if self.shuffle else np.arange(n)
        return self._batches(self._order)
