"""NumPy and loops: arrays in the optimizers, samples one by one, other formulas for the same numbers."""

import numpy as np

from needle.autograd import Tensor

FILE = "python/needle/data/dataloader.py"


class DataLoader:
    def __len__(self):
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0)

    def __iter__(self):
        n = len(self.dataset)
        order = np.random.permutation(n) if self.shuffle else range(n)
        batch = []
        for position in order:
            sample = self.dataset[int(position)]
            batch.append(sample if isinstance(sample, (tuple, list)) else (sample,))
            if len(batch) == self.batch_size:
                yield tuple(Tensor(np.array(field), requires_grad=False) for field in zip(*batch))
                batch = []
        if batch:
            yield tuple(Tensor(np.array(field), requires_grad=False) for field in zip(*batch))
