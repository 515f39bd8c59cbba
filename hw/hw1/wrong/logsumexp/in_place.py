"""The largest element is subtracted from the input itself."""

from needle.axes import normalize_axes
from needle.backend_selection import array_api

FILE = "python/needle/ops/logarithmic.py"


class LogSumExp:
    def compute(self, a):
        axes = normalize_axes(self.axes, a.ndim, "logsumexp")
        largest = array_api.max(a, axis=axes, keepdims=True)
        a -= largest
        result = array_api.log(array_api.sum(array_api.exp(a), axis=axes, keepdims=True)) + largest
        return result if self.keepdims else array_api.squeeze(result, axes)
