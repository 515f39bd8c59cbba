"""Weight decay apart from the gradient, as in AdamW."""

from needle.backend_selection import array_api

FILE = "python/needle/optim/adam.py"


class Adam:
    def _updated(self, m, v, w, g):
        m = self.beta1 * m + (1 - self.beta1) * g
        v = self.beta2 * v + (1 - self.beta2) * (g * g)
        m_hat = m / (1 - self.beta1**self.t)
        v_hat = v / (1 - self.beta2**self.t)
        return m, v, w - self.lr * (m_hat / (array_api.sqrt(v_hat) + self.eps) + self.weight_decay * w)
