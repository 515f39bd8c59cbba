"""Each gradient is clipped by itself."""

import numpy as np

from needle.autograd import Tensor

FILE = "python/needle/optim/optimizer.py"


class Optimizer:
    def clip_grad_norm(self, max_norm=0.25):
        squares = 0.0
        for update in self.updates():
            norm = float(np.linalg.norm(update.grad))
            squares += norm**2
            if norm > max_norm:
                update.param.grad = Tensor(update.grad * (max_norm / norm), requires_grad=False)
        return squares**0.5
