"""Over the batch instead of the classes."""

# ruff: noqa: N803

import needle as ndl

FILE = "apps/simple_ml.py"


def softmax_loss(Z, y_one_hot):
    return (ndl.logsumexp(Z, axes=(0,)) - (Z * y_one_hot).sum((0,))).sum() / Z.shape[0]
