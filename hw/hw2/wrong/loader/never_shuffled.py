"""shuffle is not looked at."""

import numpy as np

FILE = "python/needle/data/dataloader.py"


class DataLoader:
    def __iter__(self):
        return self._batches(np.arange(len(self.dataset)))
