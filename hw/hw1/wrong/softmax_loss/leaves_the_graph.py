"""Through NumPy: the right number, but backward() finds nothing."""

# ruff: noqa: N803

import numpy as np

import needle as ndl

FILE = "apps/simple_ml.py"


def softmax_loss(Z, y_one_hot):
    loss = ndl.logsumexp(Z, axes=(1,)).numpy() - (Z * y_one_hot).sum((1,)).numpy()
    return ndl.Tensor(np.asarray(loss.mean(), dtype=Z.dtype))
