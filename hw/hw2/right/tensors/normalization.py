"""Tensors throughout, as a student writes it who has not seen the helpers: recursion, sums, `.data`."""

from needle import init
from needle.nn import Parameter

FILE = "python/needle/nn/normalization.py"


class LayerNorm1d:
    def __init__(self, dim, eps=1e-5, device=None, dtype="float32"):
        super().__init__()
        self.dim = dim
        self.eps = eps
        self.weight = Parameter(init.ones(dim, device=device, dtype=dtype, requires_grad=True))
        self.bias = Parameter(init.zeros(dim, device=device, dtype=dtype, requires_grad=True))

    def forward(self, x):
        kept = (*x.shape[:-1], 1)
        last = (len(x.shape) - 1,)
        mean = (x.sum(last) / self.dim).reshape(kept).broadcast_to(x.shape)
        var = (((x - mean) ** 2).sum(last) / self.dim).reshape(kept).broadcast_to(x.shape)
        normal = (x - mean) / (var + self.eps) ** 0.5
        return self.weight.broadcast_to(x.shape) * normal + self.bias.broadcast_to(x.shape)


class BatchNorm1d:
    def __init__(self, dim, eps=1e-5, momentum=0.1, device=None, dtype="float32"):
        super().__init__()
        self.dim, self.eps, self.momentum = dim, eps, momentum
        self.weight = Parameter(init.ones(dim, device=device, dtype=dtype))
        self.bias = Parameter(init.zeros(dim, device=device, dtype=dtype))
        self.running_mean = init.zeros(dim, device=device, dtype=dtype)
        self.running_var = init.ones(dim, device=device, dtype=dtype)

    def forward(self, x):
        n = x.shape[0]
        if self.training:
            mean = x.sum((0,)) / n
            deviation = x - mean.broadcast_to(x.shape)
            var = (deviation**2).sum((0,)) / n
            m = self.momentum
            self.running_mean.data = (1 - m) * self.running_mean.data + m * mean.data
            self.running_var.data = (1 - m) * self.running_var.data + m * var.data
        else:
            deviation = x - self.running_mean.broadcast_to(x.shape)
            var = self.running_var
        normal = deviation / ((var + self.eps) ** 0.5).broadcast_to(x.shape)
        return self.weight.broadcast_to(x.shape) * normal + self.bias.broadcast_to(x.shape)
