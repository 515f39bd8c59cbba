"""The batches are shuffled, not the samples."""

import numpy as np

FILE = "python/needle/data/dataloader.py"


class DataLoader:
    def __iter__(self):
        n = len(self.dataset)
        starts = np.arange(0, n, self.batch_size)
        if self.shuffle:
            starts = starts[np.random.permutation(len(starts))]
        order = [i for start in starts for i in range(start, min(start + self.batch_size, n))]
        return self._batches(np.array(order, int))
