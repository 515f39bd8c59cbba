"""The weights are plain Tensors, which nobody finds."""

from needle import init

FILE = "python/needle/nn/basic.py"


class Linear:
    def __init__(self, in_features, out_features, bias=True, device=None, dtype="float32"):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = init.kaiming_uniform(in_features, out_features, device=device, dtype=dtype, requires_grad=True)
        self.bias = None
        if bias:
            row = (1, out_features)
            self.bias = init.kaiming_uniform(out_features, 1, row, device=device, dtype=dtype, requires_grad=True)
