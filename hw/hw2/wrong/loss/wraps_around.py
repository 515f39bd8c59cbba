"""NumPy's indexing: the label -1 is the last class."""

import numpy as np

from needle import ops
from needle.autograd import Tensor

FILE = "python/needle/nn/loss.py"


class SoftmaxLoss:
    def forward(self, logits, y):
        if len(logits.shape) != 2 or y.shape != logits.shape[:1]:
            raise ValueError(f"{logits.shape} {y.shape}")
        rows = Tensor(np.eye(logits.shape[1], dtype=logits.dtype)[y.numpy().astype(int)], requires_grad=False)
        return ops.softmax_loss(logits, rows)
