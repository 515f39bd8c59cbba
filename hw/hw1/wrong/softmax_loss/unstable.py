"""The definition, literally: exp overflows."""

# ruff: noqa: N803

import needle as ndl

FILE = "apps/simple_ml.py"


def softmax_loss(Z, y_one_hot):
    return (ndl.log(ndl.exp(Z).sum((1,))) - (Z * y_one_hot).sum((1,))).sum() / Z.shape[0]
