"""The running estimates are Parameters."""

from needle import init
from needle.nn import Parameter

FILE = "python/needle/nn/normalization.py"


class BatchNorm1d:
    def __init__(self, dim, eps=1e-5, momentum=0.1, device=None, dtype="float32"):
        super().__init__()
        self.dim, self.eps, self.momentum = dim, eps, momentum
        self.weight = Parameter(init.ones(dim, device=device, dtype=dtype))
        self.bias = Parameter(init.zeros(dim, device=device, dtype=dtype))
        self.running_mean = Parameter(init.zeros(dim, device=device, dtype=dtype))
        self.running_var = Parameter(init.ones(dim, device=device, dtype=dtype))
