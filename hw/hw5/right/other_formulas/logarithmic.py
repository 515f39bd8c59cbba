"""By shapes instead of spread, and by softmax of the input instead of exp of the output."""

from needle.ops import softmax, summation

FILE = "python/needle/ops/logarithmic.py"


class LogSumExp:
    def jvp(self, tangents, node):
        from needle.axes import normalize_axes
        from needle.ops import exp, reshape

        (a,), (da,) = node.inputs, tangents
        shape = tuple(1 if i in normalize_axes(self.axes, a.ndim, "") else n for i, n in enumerate(a.shape))
        shifted = a - reshape(node, shape)
        return summation(exp(shifted) * da, self.axes, self.keepdims)


class LogSoftmax:
    def jvp(self, tangents, node):
        (a,), (da,) = node.inputs, tangents
        return da - summation(softmax(a, self.axes) * da, self.axes, True)
