"""Only the last two axes are merged."""

import math

from needle import ops

FILE = "python/needle/nn/basic.py"


class Flatten:
    def forward(self, x):
        return ops.reshape(x, (*x.shape[:-2], math.prod(x.shape[-2:]))) if len(x.shape) > 2 else x
