"""Flatten merges the batch, too."""

import math

from needle import ops

FILE = "python/needle/nn/basic.py"


class Flatten:
    def forward(self, x):
        return ops.reshape(x, (math.prod(x.shape),))
