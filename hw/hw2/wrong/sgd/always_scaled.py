"""Small gradients are scaled up to the bound."""

import numpy as np

from needle.autograd import Tensor

FILE = "python/needle/optim/optimizer.py"


class Optimizer:
    def clip_grad_norm(self, max_norm=0.25):
        norm = float(np.sqrt(sum(np.sum(update.grad.astype(float) ** 2) for update in self.updates())))
        for update in self.updates():
            update.param.grad = Tensor(update.grad * (max_norm / norm), requires_grad=False)
        return norm
