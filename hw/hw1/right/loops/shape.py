"""Loops over elements, axes and examples, where the library has one call."""

from needle.axes import normalize_axes

FILE = "python/needle/ops/shape.py"


class Transpose:
    def compute(self, a):
        axes = (-2, -1) if self.axes is None else self.axes
        if a.ndim < 2:
            raise ValueError("there are no two axes to swap")
        first, second = normalize_axes(axes, a.ndim, "transpose")
        order = []
        for axis in range(a.ndim):
            if axis == first:
                order.append(second)
            elif axis == second:
                order.append(first)
            else:
                order.append(axis)
        return a.transpose(order)


class BroadcastTo:
    def gradient(self, out_grad, node):
        shape = node.inputs[0].shape
        while len(out_grad.shape) > len(shape):
            out_grad = out_grad.sum((0,))
        for axis, extent in enumerate(shape):
            if extent == 1 and out_grad.shape[axis] != 1:
                kept = (*out_grad.shape[:axis], 1, *out_grad.shape[axis + 1 :])
                out_grad = out_grad.sum((axis,)).reshape(kept)
        return out_grad
