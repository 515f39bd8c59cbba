"""An empty slice with transforms is an error."""

import numpy as np

FILE = "python/needle/data/mnist.py"


class MNISTDataset:
    def __getitem__(self, index):
        images = self.images[index][..., None] / np.float32(255)
        if images.ndim == 3:
            images = self.apply_transforms(images)
        elif self.transforms:
            images = np.stack([self.apply_transforms(image) for image in images])
        return images, self.labels[index]
