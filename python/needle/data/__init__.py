"""Data: datasets, the DataLoader that turns them into batches, and transforms of images."""

from .dataloader import DataLoader
from .dataset import Dataset, NDArrayDataset
from .mnist import MNIST, MiniMNIST, MNISTDataset
from .transforms import RandomCrop, RandomFlipHorizontal, Transform

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
]
