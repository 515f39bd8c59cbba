"""Tensors throughout, as a student writes it who has not seen the helpers: recursion, sums, `.data`."""

FILE = "python/needle/optim/adam.py"


class Adam:
    def step(self):
        self.t += 1
        for i, param in enumerate(self.params):
            if param.grad is None:
                continue
            g = param.grad.data + self.weight_decay * param.data
            self.m[i].data = self.beta1 * self.m[i].data + (1 - self.beta1) * g
            self.v[i].data = self.beta2 * self.v[i].data + (1 - self.beta2) * g**2
            m_hat = self.m[i].data / (1 - self.beta1**self.t)
            v_hat = self.v[i].data / (1 - self.beta2**self.t)
            param.data = param.data - self.lr * m_hat / (v_hat**0.5 + self.eps)
