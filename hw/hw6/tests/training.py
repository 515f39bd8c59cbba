"""A network to compile: the training step that the task `speed` is about, and the program that was recorded of it."""

from __future__ import annotations

from typing import Any

import numpy as np

import needle as ndl
from hw.hw6.tests.machine import parameter, tensor
from needle import nn, ops, optim
from needle.autograd import TensorOp


class CarefulReLU(TensorOp):
    """max(a, 0), by somebody who copies everything before touching it."""

    def compute(self, a: Any) -> Any:
        """Compute on a copy."""
        return a.copy().maximum(0)

    def gradient(self, out_grad: Any, node: Any) -> Any:
        """Let pass what is above 0, and watch how much that is."""
        passed = out_grad * ops.greater(node, 0)
        ops.summation(passed * passed)  # nobody ever looks at it
        return passed


class Step:
    """A training step of a two-layer network, with random numbers that are the same in every run."""

    def __init__(self, optimizer: str = "momentum", batch: int = 8, features: int = 6, hidden: int = 16) -> None:
        rng = np.random.default_rng(0)
        self.w1, self.b1 = parameter(rng.normal(size=(features, hidden)) / 3), parameter(np.zeros((1, hidden)))
        self.w2, self.b2 = parameter(rng.normal(size=(hidden, 4)) / 4), parameter(np.zeros((1, 4)))
        self.images = tensor(rng.normal(size=(batch, features)))
        self.labels = tensor(rng.integers(0, 4, batch), "int64")
        params = [self.w1, self.b1, self.w2, self.b2]
        if optimizer == "adam":
            self.optimizer: Any = optim.Adam(params, lr=0.01, weight_decay=0.01)
        else:
            self.optimizer = optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.01)
        self.loss = nn.SoftmaxLoss()

    def __call__(self, images: ndl.Tensor, labels: ndl.Tensor) -> ndl.Tensor:
        """Forward, backward, and the optimizer's step."""
        hidden = CarefulReLU()(images @ self.w1 + self.b1.broadcast_to((images.shape[0], self.b1.shape[1])))
        logits = hidden @ self.w2 + self.b2.broadcast_to((images.shape[0], 4))
        loss = self.loss(logits, labels)
        self.optimizer.reset_grad()
        loss.backward(create_graph=False)
        self.optimizer.step()
        return loss

    def state(self) -> list[np.ndarray]:
        """What a step changes."""
        return [x.numpy() for x in (self.w1, self.b1, self.w2, self.b2)]
