"""The bias is drawn before the weight."""

from needle import init
from needle.nn import Parameter

FILE = "python/needle/nn/basic.py"


class Linear:
    def __init__(self, in_features, out_features, bias=True, device=None, dtype="float32"):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        row = (
            init.kaiming_uniform(out_features, 1, shape=(1, out_features), device=device, dtype=dtype) if bias else None
        )
        self.bias = Parameter(row) if bias else None
        self.weight = Parameter(init.kaiming_uniform(in_features, out_features, device=device, dtype=dtype))
