"""Every dataset is asked for a whole batch."""

FILE = "python/needle/data/dataloader.py"


def _gather(dataset, indices):
    batch = dataset[indices]
    return batch if isinstance(batch, tuple) else (batch,)
