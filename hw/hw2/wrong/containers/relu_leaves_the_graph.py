"""relu is computed on arrays: no gradient comes through."""

import numpy as np

from needle.autograd import Tensor

FILE = "python/needle/nn/basic.py"


class ReLU:
    def forward(self, x):
        return Tensor(np.maximum(x.numpy(), 0), dtype=x.dtype)
