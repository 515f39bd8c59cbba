"""The last axis is reversed, which is that of the channels."""

import numpy as np

FILE = "python/needle/data/transforms.py"


class RandomFlipHorizontal:
    def __call__(self, img):
        return img[..., ::-1] if np.random.rand() < self.p else img
