"""A sample that is no tuple is taken apart."""

import numpy as np

from needle.data import Dataset

FILE = "python/needle/data/dataloader.py"


def _gather(dataset, indices):
    if isinstance(dataset, Dataset) and dataset.takes_index_arrays:
        return dataset[indices]
    samples = [dataset[int(i)] for i in indices]
    return tuple(np.stack([np.asarray(x) for x in field]) for field in zip(*samples))
