"""The first axis is reversed."""

import numpy as np

FILE = "python/needle/data/transforms.py"


class RandomFlipHorizontal:
    def __call__(self, img):
        return img[::-1] if np.random.rand() < self.p else img
