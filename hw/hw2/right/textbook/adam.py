"""The formulas as they stand in textbooks, each quantity with a name of its own."""

from needle.backend_selection import array_api

FILE = "python/needle/optim/adam.py"


class Adam:
    def _updated(self, m, v, w, g):
        g = g + self.weight_decay * w
        m = self.beta1 * m + (1 - self.beta1) * g
        v = self.beta2 * v + (1 - self.beta2) * (g * g)
        m_hat = m / (1 - self.beta1**self.t)
        v_hat = v / (1 - self.beta2**self.t)
        return m, v, w - self.lr * m_hat / (array_api.sqrt(v_hat) + self.eps)
