"""Transforms: small random changes of an image that leave its label true, so that a model sees more than there is."""

from __future__ import annotations

from typing import Any

import numpy as np


class Transform:
    """The base of transforms: a callable from one image of shape (H, W, C) to another."""

    def __call__(self, x: Any) -> Any:
        """Change one image."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, x)")


class RandomFlipHorizontal(Transform):
    """Mirror an image left to right, with probability `p`: out[i, j] = image[i, W - 1 - j].

    One ``np.random.rand()`` is drawn for each image; it is flipped where the draw is below `p`.
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, img: Any) -> Any:
        """Flip `img`, shape (H, W, C), or hand it back as it is."""
        return img[:, ::-1, :] if np.random.rand() < self.p else img


class RandomCrop(Transform):
    """Surround an image with `padding` zeros on each side, and cut a window of the image's size out of that.

    out[i, j] = image[i + shift_x, j + shift_y], and 0 outside the image. Both shifts come from one
    ``np.random.randint(-padding, padding + 1, size=2)`` for each image.
    """

    def __init__(self, padding: int = 3) -> None:
        self.padding = padding

    def __call__(self, img: Any) -> Any:
        """Cut a window out of `img`, shape (H, W, C), padded with zeros; the result has the same shape."""
        pad = self.padding
        shift_x, shift_y = np.random.randint(-pad, pad + 1, size=2)
        height, width = img.shape[:2]
        padded = np.pad(img, ((pad, pad), (pad, pad), (0, 0)))
        return padded[pad + shift_x : pad + shift_x + height, pad + shift_y : pad + shift_y + width]
