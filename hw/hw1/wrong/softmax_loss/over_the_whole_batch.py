"""One logsumexp of all rows together."""

# ruff: noqa: N803

import needle as ndl

FILE = "apps/simple_ml.py"


def softmax_loss(Z, y_one_hot):
    return ndl.logsumexp(Z) - (Z * y_one_hot).sum() / Z.shape[0]
