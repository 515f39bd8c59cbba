"""What leaves the image comes back on the other side."""

import numpy as np

FILE = "python/needle/data/transforms.py"


class RandomCrop:
    def __call__(self, img):
        shifts = np.random.randint(-self.padding, self.padding + 1, size=2)
        return np.roll(img, tuple(-shifts), (0, 1))
