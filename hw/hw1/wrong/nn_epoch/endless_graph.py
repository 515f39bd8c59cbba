"""The new weights are nodes of the graph, which grows from batch to batch."""

# ruff: noqa: N803, N806

import needle as ndl
from apps.simple_ml import one_hot, softmax_loss

FILE = "apps/simple_ml.py"


def nn_epoch(X, y, W1, W2, lr=0.1, batch=100):
    for start in range(0, len(X), batch):
        inputs = ndl.Tensor(X[start : start + batch], requires_grad=False)
        logits = ndl.relu(inputs @ W1.retain_grad()) @ W2.retain_grad()
        loss = softmax_loss(logits, one_hot(y[start : start + batch], W2.shape[1]))
        loss.backward()
        W1, W2 = W1 - lr * W1.grad, W2 - lr * W2.grad
    return W1, W2
