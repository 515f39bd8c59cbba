"""The moments are nodes: the graphs of all steps hang on each other."""

FILE = "python/needle/optim/adam.py"


class Adam:
    def step(self):
        self.t += 1
        for i, param in enumerate(self.params):
            if param.grad is not None:
                g = param.grad + self.weight_decay * param
                self.m[i] = self.beta1 * self.m[i] + (1 - self.beta1) * g
                self.v[i] = self.beta2 * self.v[i] + (1 - self.beta2) * (g * g)
                m_hat, v_hat = self.m[i] / (1 - self.beta1**self.t), self.v[i] / (1 - self.beta2**self.t)
                param.data = param.data - self.lr * m_hat.data / (v_hat.data**0.5 + self.eps)
        self.has_stepped()
