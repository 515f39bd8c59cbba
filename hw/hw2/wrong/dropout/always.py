"""In evaluation elements are dropped, too."""

from needle import init

FILE = "python/needle/nn/basic.py"


class Dropout:
    def forward(self, x):
        return x * init.randb(*x.shape, p=1 - self.p, device=x.device, dtype=x.dtype) / (1 - self.p)
