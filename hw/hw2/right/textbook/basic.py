"""The formulas as they stand in textbooks, each quantity with a name of its own."""

from needle import init
from needle.nn import Parameter

FILE = "python/needle/nn/basic.py"


class Linear:
    def __init__(self, in_features, out_features, bias=True, device=None, dtype="float32"):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(init.kaiming_uniform(in_features, out_features, device=device, dtype=dtype))
        self.bias = None
        if bias:
            row = init.kaiming_uniform(out_features, 1, shape=(1, out_features), device=device, dtype=dtype)
            self.bias = Parameter(row)
