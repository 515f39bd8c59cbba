"""NumPy and loops: arrays in the optimizers, samples one by one, other formulas for the same numbers."""

import numpy as np

FILE = "python/needle/data/mnist.py"


class MNISTDataset:
    def __getitem__(self, index):
        if isinstance(index, (int, np.integer)):
            image = self.images[index].reshape(28, 28, 1).astype(np.float32) / np.float32(255)
            return self.apply_transforms(image), self.labels[index]
        positions = np.arange(len(self.images))[index]
        samples = [self[int(i)][0] for i in positions]
        images = np.array(samples, np.float32).reshape(len(samples), 28, 28, 1)
        return images, self.labels[index]

    def __len__(self):
        return self.images.shape[0]
