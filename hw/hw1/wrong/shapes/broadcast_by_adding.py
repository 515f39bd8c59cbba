"""Adding zeros broadcasts, but copies and makes float32 float64."""

from needle.backend_selection import array_api

FILE = "python/needle/ops/shape.py"


class BroadcastTo:
    def compute(self, a):
        return a + array_api.zeros(self.shape)
