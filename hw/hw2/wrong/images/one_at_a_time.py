"""Slices and arrays are not served."""

import numpy as np

FILE = "python/needle/data/mnist.py"


class MNISTDataset:
    def __getitem__(self, index):
        image = self.images[index].reshape(28, 28, 1) / np.float32(255)
        return self.apply_transforms(image), self.labels[index]
