"""The window is square: right for square images alone."""

import numpy as np

FILE = "python/needle/data/transforms.py"


class RandomCrop:
    def __call__(self, img):
        pad = self.padding
        shift_x, shift_y = np.random.randint(-pad, pad + 1, size=2)
        height = img.shape[0]
        padded = np.pad(img, ((pad, pad), (pad, pad), (0, 0)))
        return padded[pad + shift_x : pad + shift_x + height, pad + shift_y : pad + shift_y + height]
