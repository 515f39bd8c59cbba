"""Tensors throughout, as a student writes it who has not seen the helpers: recursion, sums, `.data`."""

import numpy as np

FILE = "python/needle/optim/optimizer.py"


class Optimizer:
    def reset_grad(self):
        for i in range(len(self.params)):
            self.params[i].grad = None

    def clip_grad_norm(self, max_norm=0.25):
        grads = [param.grad for param in self.params if param.grad is not None]
        norm = float(np.linalg.norm(np.concatenate([grad.numpy().ravel() for grad in grads] or [np.zeros(1)])))
        for param in self.params:
            if param.grad is not None and norm > max_norm:
                param.grad = param.grad.detach() * (max_norm / norm)
                param.grad = param.grad.detach()
        return norm
