"""In evaluation a mask is drawn, though it is not used."""

from needle import init

FILE = "python/needle/nn/basic.py"


class Dropout:
    def forward(self, x):
        mask = init.randb(*x.shape, p=1 - self.p, device=x.device, dtype=x.dtype)
        return x * mask / (1 - self.p) if self.training else x
