"""Data: datasets, the DataLoader that turns them into batches, and transforms of images."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .dataloader import DataLoader
from .dataset import Dataset, NDArrayDataset
from .mnist import MNIST, MiniMNIST, MNISTDataset
from .transforms import RandomCrop, RandomFlipHorizontal, Transform

if TYPE_CHECKING:
    from . import idx

__all__ = [
    "MNIST",
    "DataLoader",
    "Dataset",
    "MNISTDataset",
    "MiniMNIST",
    "NDArrayDataset",
    "RandomCrop",
    "RandomFlipHorizontal",
    "Transform",
    "idx",
]


def __getattr__(name: str) -> Any:
    """The readers of MNIST's files, which are imported when somebody uses them."""
    if name == "idx":
        return import_module(".idx", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
