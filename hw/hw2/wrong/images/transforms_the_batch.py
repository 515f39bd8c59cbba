"""The transforms get a whole batch."""

import numpy as np

FILE = "python/needle/data/mnist.py"


class MNISTDataset:
    def __getitem__(self, index):
        images = self.images[index][..., None] / np.float32(255)
        return self.apply_transforms(images), self.labels[index]
