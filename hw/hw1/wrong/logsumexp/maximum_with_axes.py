"""The largest elements keep their axes, the logarithms do not: they broadcast."""

from needle.axes import normalize_axes
from needle.backend_selection import array_api

FILE = "python/needle/ops/logarithmic.py"


class LogSumExp:
    def compute(self, a):
        axes = normalize_axes(self.axes, a.ndim, "logsumexp")
        largest = array_api.max(a, axis=axes, keepdims=True)
        return array_api.log(array_api.sum(array_api.exp(a - largest), axis=axes, keepdims=self.keepdims)) + largest
