"""The definition, literally: exp overflows."""

from needle import init, ops

FILE = "python/needle/nn/loss.py"


class SoftmaxLoss:
    def forward(self, logits, y):
        if len(logits.shape) != 2 or y.shape != logits.shape[:1]:
            raise ValueError(f"{logits.shape} {y.shape}")
        rows = init.one_hot(logits.shape[1], y, dtype=logits.dtype)
        sums = ops.log(ops.summation(ops.exp(logits), 1))
        return ops.summation(sums - ops.summation(logits * rows, 1)) / logits.shape[0]
