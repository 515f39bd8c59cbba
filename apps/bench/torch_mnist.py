"""The plainest PyTorch script that does what ``apps/mnist_mlp.py`` does: the opponent of the `mnist` benchmark.

    python apps/bench/torch_mnist.py FOLDER --until 98 --seed 0

reads the four IDX files of FOLDER and trains the same network, from the same distribution, with Adam and the same
learning rate and schedule; reports the same numbers after each epoch; and stops at the same test accuracy.
"""

from __future__ import annotations

import argparse
import gzip
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

EVALUATION_BATCH = 1000


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of bytes: a header of two bytes of zeros, type, number of axes, extents, then the elements."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    shape = np.frombuffer(content, ">u4", count=content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def load(folder: Path, which: str) -> tuple[Tensor, Tensor]:
    """Images (n, 784) in [0, 1] and labels (n,) of the set ``train`` or ``t10k``."""
    files = [folder / f"{which}-{name}-ubyte" for name in ("images-idx3", "labels-idx1")]
    images, labels = (read_idx(file if file.exists() else file.with_name(f"{file.name}.gz")) for file in files)
    pixels = torch.from_numpy(images.reshape(len(images), -1).astype(np.float32)) / 255
    return pixels, torch.from_numpy(labels.astype(np.int64))


def make_model(widths: list[int]) -> nn.Sequential:
    """Linear and ReLU in turn; weights and biases from needle's Kaiming uniform distributions."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.uniform_(linear.weight, -math.sqrt(6 / fan_in), math.sqrt(6 / fan_in))
        nn.init.uniform_(linear.bias, -math.sqrt(6 / fan_out), math.sqrt(6 / fan_out))
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@torch.no_grad()
def evaluate(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean loss and fraction of errors."""
    loss, errors = 0.0, 0
    for x, y in zip(images.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH)):
        logits = model(x)
        loss += functional.cross_entropy(logits, y).item() * len(y)
        errors += int((logits.argmax(1) != y).sum())
    return loss / len(labels), errors / len(labels)


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description="Train an MLP on MNIST with PyTorch.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hidden", type=lambda text: [int(width) for width in text.split(",")], default=[256, 128])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--until", type=float, default=100.0)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    if options.threads is not None:
        torch.set_num_threads(options.threads)

    images, labels = load(options.folder, "train")
    test_images, test_labels = load(options.folder, "t10k")
    model = make_model([images.shape[1], *options.hidden, 10])
    optimizer = torch.optim.Adam(model.parameters(), lr=options.lr)
    steps = options.epochs * math.ceil(len(images) / options.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)

    for epoch in range(options.epochs):
        train_loss, train_errors = 0.0, 0
        for batch in torch.randperm(len(images)).split(options.batch_size):
            x, y = images[batch], labels[batch]
            logits = model(x)
            loss = functional.cross_entropy(logits, y)
            train_loss += loss.item() * len(y)
            train_errors += int((logits.argmax(1) != y).sum())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        test_loss, test_error = evaluate(model, test_images, test_labels)
        print(
            f"epoch {epoch + 1}/{options.epochs} | "
            f"train loss {train_loss / len(labels):.4f} error {100 * train_errors / len(labels):.2f} % | "
            f"test loss {test_loss:.4f} error {100 * test_error:.2f} %"
        )
        if 100 * (1 - test_error) >= options.until:
            break
    print(f"test accuracy {100 * (1 - test_error):.2f} %")


if __name__ == "__main__":
    main()
