"""The course's residual MLP on MNIST: blocks that add what they learn to what they are given."""

# ruff: noqa: N802  (the course's names)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import needle as ndl
from needle import nn


def ResidualBlock(
    dim: int,
    hidden_dim: int,
    norm: Callable[[int], nn.Module] = nn.BatchNorm1d,
    drop_prob: float = 0.1,
) -> nn.Module:
    """Make a block that maps `dim` features to `dim` features.

    ::

        x -> ReLU(x + norm(Linear(Dropout(ReLU(norm(Linear(x)))))))

    Parameters
    ----------
    dim, hidden_dim : int
        Features of input and output, and between the two linear layers.
    norm : callable
        Makes a normalization layer for a number of features.
    drop_prob : float
        Probability that Dropout sets an element to zero.
    """
    branch = nn.Sequential(
        nn.Linear(dim, hidden_dim),
        norm(hidden_dim),
        nn.ReLU(),
        nn.Dropout(drop_prob),
        nn.Linear(hidden_dim, dim),
        norm(dim),
    )
    return nn.Sequential(nn.Residual(branch), nn.ReLU())


def MLPResNet(
    dim: int,
    hidden_dim: int = 100,
    num_blocks: int = 3,
    num_classes: int = 10,
    norm: Callable[[int], nn.Module] = nn.BatchNorm1d,
    drop_prob: float = 0.1,
) -> nn.Module:
    """Make the network: Linear, ReLU, `num_blocks` residual blocks (with hidden_dim // 2 inside), Linear.

    It maps (batch, dim) to logits of shape (batch, num_classes).
    """
    return nn.Sequential(
        nn.Linear(dim, hidden_dim),  # weights are drawn in this order
        nn.ReLU(),
        *(ResidualBlock(hidden_dim, hidden_dim // 2, norm, drop_prob) for _ in range(num_blocks)),
        nn.Linear(hidden_dim, num_classes),
    )


def epoch(
    dataloader: ndl.data.DataLoader, model: nn.Module, opt: ndl.optim.Optimizer | None = None
) -> tuple[float, float]:
    """Go through the data once: training if there is an optimizer, else evaluating. Seeds NumPy with 4.

    Parameters
    ----------
    dataloader : DataLoader
        Gives images, which are flattened, and class indices.
    model : Module
        From (batch, features) to logits (batch, classes).
    opt : Optimizer, optional
        Over the model's parameters.

    Returns
    -------
    error : float
        Wrong predictions / samples. In training, each batch is judged before the step that it leads to.
    loss : float
        The mean of the batch losses.
    """
    np.random.seed(4)
    if opt is None:
        model.eval()
        with ndl.no_grad():
            return _run(dataloader, model, None)
    model.train()
    return _run(dataloader, model, opt)


def _run(dataloader: ndl.data.DataLoader, model: nn.Module, opt: ndl.optim.Optimizer | None) -> tuple[float, float]:
    loss_function, flatten = nn.SoftmaxLoss(), nn.Flatten()
    errors, samples, losses = 0, 0, []
    for images, labels in dataloader:
        logits = model(flatten(images))
        loss = loss_function(logits, labels)
        if opt is not None:
            opt.reset_grad()
            loss.backward(create_graph=False)
            opt.step()
        losses.append(float(loss.numpy()))
        errors += int(np.sum(logits.numpy().argmax(axis=1) != labels.numpy()))
        samples += labels.shape[0]
    return errors / samples, float(np.mean(losses))


def train_mnist(
    batch_size: int = 100,
    epochs: int = 10,
    optimizer: Callable[..., Any] = ndl.optim.Adam,
    lr: float = 0.001,
    weight_decay: float = 0.001,
    hidden_dim: int = 100,
    data_dir: str = "data",
) -> tuple[float, float, float, float]:
    """Train an `MLPResNet` on the four MNIST files in `data_dir`, shuffling the training set. Seeds NumPy with 4.

    Returns
    -------
    tuple of float
        (train error, train loss, test error, test loss) of the last epoch.
    """
    if epochs < 1:
        raise ValueError(f"train_mnist: epochs must be at least 1, got {epochs}")
    np.random.seed(4)
    folder = Path(data_dir)
    train, test = (
        ndl.data.MNISTDataset(folder / f"{name}-images-idx3-ubyte.gz", folder / f"{name}-labels-idx1-ubyte.gz")
        for name in ("train", "t10k")
    )
    train_loader = ndl.data.DataLoader(train, batch_size, shuffle=True)
    test_loader = ndl.data.DataLoader(test, batch_size)
    model = MLPResNet(28 * 28, hidden_dim)
    opt = optimizer(model.parameters(), lr=lr, weight_decay=weight_decay)
    for _ in range(epochs):
        train_error, train_loss = epoch(train_loader, model, opt)
    test_error, test_loss = epoch(test_loader, model)
    return train_error, train_loss, test_error, test_loss
