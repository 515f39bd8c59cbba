"""The shift of the rows is that of the columns."""

import numpy as np

FILE = "python/needle/data/transforms.py"


class RandomCrop:
    def __call__(self, img):
        pad = self.padding
        shift_x, shift_y = reversed(np.random.randint(-pad, pad + 1, size=2))
        height, width = img.shape[:2]
        padded = np.pad(img, ((pad, pad), (pad, pad), (0, 0)))
        return padded[pad + shift_x : pad + shift_x + height, pad + shift_y : pad + shift_y + width]
