"""Loops over elements, axes and examples, where the library has one call."""

from needle.axes import normalize_axes
from needle.backend_selection import array_api

FILE = "python/needle/ops/logarithmic.py"


class LogSumExp:
    def compute(self, a):
        axes = normalize_axes(self.axes, a.ndim, "logsumexp")
        largest = array_api.max(a, axis=axes, keepdims=True)
        total = array_api.sum(array_api.exp(a - largest), axis=axes, keepdims=self.keepdims)
        return array_api.log(total) + (largest if self.keepdims else array_api.squeeze(largest, axes))

    def gradient(self, out_grad, node):
        from .functions import exp
        from .shape import broadcast_to, reshape

        (a,) = node.inputs
        shape = with_axes = list(a.shape)
        for axis in normalize_axes(self.axes, len(shape), "logsumexp"):
            with_axes[axis] = 1
        values = broadcast_to(reshape(node, tuple(with_axes)), a.shape)
        adjoints = broadcast_to(reshape(out_grad, tuple(with_axes)), a.shape)
        return exp(a - values) * adjoints
