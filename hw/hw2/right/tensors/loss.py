"""Tensors throughout, as a student writes it who has not seen the helpers: recursion, sums, `.data`."""

from needle import init, ops

FILE = "python/needle/nn/loss.py"


class SoftmaxLoss:
    def forward(self, logits, y):
        if len(logits.shape) != 2 or len(y.shape) != 1 or y.shape[0] != logits.shape[0]:
            raise ValueError("SoftmaxLoss: the shapes do not fit")
        n, classes = logits.shape
        truth = init.one_hot(classes, y, dtype=logits.dtype)
        return (ops.logsumexp(logits, axes=(1,)) - (logits * truth).sum((1,))).sum() / n
