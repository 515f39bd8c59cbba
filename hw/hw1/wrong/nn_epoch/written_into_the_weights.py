"""The weights that were given are changed."""

# ruff: noqa: N803

import needle as ndl
from apps.simple_ml import one_hot, softmax_loss

FILE = "apps/simple_ml.py"


def nn_epoch(X, y, W1, W2, lr=0.1, batch=100):
    for start in range(0, len(X), batch):
        inputs = ndl.Tensor(X[start : start + batch], requires_grad=False)
        logits = ndl.relu(inputs @ W1) @ W2
        loss = softmax_loss(logits, one_hot(y[start : start + batch], W2.shape[1]))
        loss.backward()
        W1.data = W1.data - lr * W1.grad.data
        W2.data = W2.data - lr * W2.grad.data
    return W1, W2
