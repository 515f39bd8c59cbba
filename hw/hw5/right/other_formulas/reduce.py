"""The mean of products instead of a sum that is divided; selections instead of weights."""

from needle.ops import mean, summation, where, zeros_like
from needle.ops.compare import equal

FILE = "python/needle/ops/reduce.py"


class Var:
    def jvp(self, tangents, node):
        (a,), (da,) = node.inputs, tangents
        # Only the deviation of da counts, as that of a sums to zero; it makes the products smaller.
        products = (a - mean(a, self.axes, True)) * (da - mean(da, self.axes, True))
        return 2 * mean(products, self.axes, self.keepdims)


class _Extremum:
    def jvp(self, tangents, node):
        (a,), (da,) = node.inputs, tangents
        taken = equal(a, self.spread(node, a.shape))
        total = summation(where(taken, da, zeros_like(da)), self.axes, self.keepdims)
        return total / summation(taken, self.axes, self.keepdims)
