"""Tensors throughout, as a student writes it who has not seen the helpers: recursion, sums, `.data`."""

import needle as ndl
from needle import init
from needle.autograd import Tensor
from needle.nn import Parameter

FILE = "python/needle/nn/basic.py"


class Linear:
    def __init__(self, in_features, out_features, bias=True, device=None, dtype="float32"):
        super().__init__()
        options = {"device": device, "dtype": dtype, "requires_grad": True}
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(init.kaiming_uniform(in_features, out_features, **options))
        if bias:
            self.bias = Parameter(init.kaiming_uniform(out_features, 1, **options).reshape((1, out_features)))
        else:
            self.bias = None

    def forward(self, x):
        y = x @ self.weight
        return y + self.bias.broadcast_to(y.shape) if self.bias is not None else y


class Flatten:
    def forward(self, x):
        features = 1
        for extent in x.shape[1:]:
            features *= extent
        return x.reshape((x.shape[0], features))


class ReLU:
    def forward(self, x):
        return ndl.relu(x)


class Dropout:
    def forward(self, x):
        if self.training:
            mask = init.randb(*x.shape, p=1 - self.p, dtype="float32") / (1 - self.p)
            return x * Tensor(mask, dtype=x.dtype, requires_grad=False)
        return x
