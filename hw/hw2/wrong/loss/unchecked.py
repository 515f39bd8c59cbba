"""Shapes are not checked."""

from needle import init, ops

FILE = "python/needle/nn/loss.py"


class SoftmaxLoss:
    def forward(self, logits, y):
        return ops.softmax_loss(logits, init.one_hot(logits.shape[1], y, dtype=logits.dtype))
