"""exp writes into its input."""

from needle.backend_selection import array_api

FILE = "python/needle/ops/functions.py"


class Exp:
    def compute(self, a):
        return array_api.exp(a, out=a)
