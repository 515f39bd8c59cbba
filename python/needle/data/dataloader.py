"""Batches: a DataLoader goes through a dataset once an epoch and hands out a few samples at a time, as Tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..autograd import Tensor
from .dataset import Dataset


class DataLoader:
    """Iterates over a dataset in batches.

    Parameters
    ----------
    dataset : Dataset
        Anything with ``__len__`` and ``__getitem__`` will do.
    batch_size : int
        Samples in a batch. The last batch holds what is left, and may be short.
    shuffle : bool
        Whether to go through the samples in a new random order at each iteration. The order is one
        ``np.random.permutation(len(dataset))``, drawn when the iteration starts.
    device : Device, optional
        Where the batches are put; the default device if not given.

    Examples
    --------
    >>> loader = DataLoader(MiniMNIST(train=True), batch_size=100, shuffle=True)
    >>> for images, labels in loader:
    ...     print(images.shape, labels.shape)
    (100, 28, 28, 1) (100,)
    """

    def __init__(self, dataset: Any, batch_size: int = 1, shuffle: bool = False, *, device: Any = None) -> None:
        if batch_size < 1:
            raise ValueError(f"DataLoader: batch_size must be at least 1, got {batch_size}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.device = device

    def __len__(self) -> int:
        """Count the batches of an epoch: ceil(samples / batch_size)."""
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Start an epoch. Each batch is a tuple of Tensors, one for each member of a sample, that need no gradient."""
        n = len(self.dataset)
        return self._batches(np.random.permutation(n) if self.shuffle else np.arange(n))

    def _batches(self, order: np.ndarray[Any, Any]) -> Iterator[tuple[Tensor, ...]]:
        for start in range(0, len(order), self.batch_size):
            fields = _gather(self.dataset, order[start : start + self.batch_size])
            yield tuple(Tensor(field, device=self.device, requires_grad=False) for field in fields)


def _gather(dataset: Any, indices: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    """Give the samples at `indices`, stacked: at once if the dataset can, else sample by sample."""
    if isinstance(dataset, Dataset) and dataset.takes_index_arrays:
        batch = dataset[indices]
        return batch if isinstance(batch, tuple) else (batch,)
    samples = [dataset[int(i)] for i in indices]
    if not isinstance(samples[0], tuple | list):
        samples = [(sample,) for sample in samples]
    return tuple(np.stack([_to_numpy(x) for x in field]) for field in zip(*samples))


def _to_numpy(x: Any) -> Any:
    """Give `x` as NumPy sees it; Tensors and NDArrays know how."""
    return x.numpy() if hasattr(x, "numpy") else np.asarray(x)
