"""The extent is left to NumPy, which cannot tell it for an empty batch."""

from needle import ops

FILE = "python/needle/nn/basic.py"


class Flatten:
    def forward(self, x):
        return ops.reshape(x, (x.shape[0], -1))
