"""All extents of 1 are dropped, not only the summed ones."""

from needle.axes import normalize_axes
from needle.backend_selection import array_api

FILE = "python/needle/ops/logarithmic.py"


class LogSumExp:
    def compute(self, a):
        axes = normalize_axes(self.axes, a.ndim, "logsumexp")
        largest = array_api.max(a, axis=axes, keepdims=True)
        result = array_api.log(array_api.sum(array_api.exp(a - largest), axis=axes, keepdims=True)) + largest
        return result if self.keepdims else array_api.squeeze(result)
