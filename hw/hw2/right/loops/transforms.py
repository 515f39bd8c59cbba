"""NumPy and loops: arrays in the optimizers, samples one by one, other formulas for the same numbers."""

import numpy as np

FILE = "python/needle/data/transforms.py"


class RandomFlipHorizontal:
    def __call__(self, img):
        if np.random.rand() >= self.p:
            return img
        return np.flip(img, 1)


class RandomCrop:
    def __call__(self, img):
        dx, dy = np.random.randint(low=-self.padding, high=self.padding + 1, size=2)
        out = np.zeros_like(img)
        for i in range(img.shape[0]):
            for j in range(img.shape[1]):
                if 0 <= i + dx < img.shape[0] and 0 <= j + dy < img.shape[1]:
                    out[i, j] = img[i + dx, j + dy]
        return out
