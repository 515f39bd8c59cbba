"""The norms are added, not their squares."""

import numpy as np

from needle.autograd import Tensor

FILE = "python/needle/optim/optimizer.py"


class Optimizer:
    def clip_grad_norm(self, max_norm=0.25):
        norm = float(sum(np.linalg.norm(update.grad) for update in self.updates()))
        if norm > max_norm:
            for update in self.updates():
                update.param.grad = Tensor(update.grad * (max_norm / norm), requires_grad=False)
        return norm
