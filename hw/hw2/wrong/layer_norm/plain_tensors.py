"""weight and bias are no Parameters."""

from needle import init

FILE = "python/needle/nn/normalization.py"


class LayerNorm1d:
    def __init__(self, dim, eps=1e-5, device=None, dtype="float32"):
        super().__init__()
        self.dim, self.eps = dim, eps
        self.weight = init.ones(dim, device=device, dtype=dtype, requires_grad=True)
        self.bias = init.zeros(dim, device=device, dtype=dtype, requires_grad=True)
