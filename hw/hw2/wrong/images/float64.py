"""Division makes float64."""

import numpy as np

FILE = "python/needle/data/mnist.py"


class MNISTDataset:
    def __getitem__(self, index):
        images = self.images[index][..., None] / 255
        if self.transforms and images.ndim == 3:
            images = self.apply_transforms(images)
        elif self.transforms and len(images):
            images = np.stack([self.apply_transforms(image) for image in images])
        return images, self.labels[index]
