"""Other formulas for the same derivatives: powers for quotients, the output for the input, masks for comparisons."""

# ruff: noqa: N803

import needle as ndl

FILE = "apps/simple_ml.py"


def softmax_loss(Z, y_one_hot):
    n, classes = Z.shape
    logarithms = ndl.logsumexp(Z, axes=(1,)).reshape((n, 1)).broadcast_to((n, classes))
    return -((Z - logarithms) * y_one_hot).sum() / n
