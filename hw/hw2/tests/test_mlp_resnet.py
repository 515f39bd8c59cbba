"""The residual network, and its training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import needle as ndl
from apps import mlp_resnet
from hw.derivatives import random
from hw.hw2.tests.checks import constant, fill
from hw.testing import hint, same
from needle import data, nn
from needle.data import idx


class Standard:
    """Networks in NumPy, in evaluation, made of a list of parameters in order."""

    def __init__(self, parameters):
        self.left = iter(parameters)

    def linear(self):
        weight, bias = next(self.left), next(self.left)
        return lambda x: x @ weight + bias

    def norm(self):
        weight, bias = next(self.left), next(self.left)
        return lambda x: weight * x / np.sqrt(1 + 1e-5) + bias

    def block(self, last_relu=True):
        first, one, second, two = self.linear(), self.norm(), self.linear(), self.norm()
        return lambda x: np.maximum(x + two(second(np.maximum(one(first(x)), 0))), 0 if last_relu else -np.inf)

    def network(self, blocks, first_relu=True):
        parts = [self.linear(), *[self.block() for _ in range(blocks)], self.linear()]

        def forward(x):
            x = parts[0](x)
            x = np.maximum(x, 0) if first_relu else x
            for part in parts[1:]:
                x = part(x)
            return x

        return forward


def filled(model):
    """Give all parameters numbers that do not depend on which was drawn first; the numbers."""
    numbers = [random(*p.shape, seed=i, low=-1.0, high=1.0) for i, p in enumerate(model.parameters())]
    for param, array in zip(model.parameters(), numbers):
        fill(param, array)
    return numbers


def kinds(module):
    """The names of all layers, in order."""
    return [type(each).__name__ for each in module._children() if not each._children()]


@hint("Linear, norm, ReLU, Dropout, Linear, norm; their output is added to x, and then comes a ReLU.")
@pytest.mark.parametrize(("dim", "hidden"), [(2, 3), (4, 4)])
def test_block(dim, hidden):
    block = mlp_resnet.ResidualBlock(dim, hidden)
    expected = ["Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear", "BatchNorm1d", "ReLU"]
    same(sorted(kinds(block)), sorted(expected), of="the layers of a block, sorted by name")
    sizes = [[dim, hidden], [1, hidden], [hidden], [hidden], [hidden, dim], [1, dim], [dim], [dim]]
    same([list(p.shape) for p in block.parameters()], sizes, of="the shapes of the parameters of a block")
    x, numbers = random(3, dim), filled(block)
    block.eval()
    found = block(constant(x.astype("float32")))
    wanted = Standard(numbers).block()(x)
    mistakes = {
        "the ReLU at the end is missing": Standard(numbers).block(last_relu=False)(x),
        "x is not added": np.maximum(Standard(numbers).block(last_relu=False)(x) - x, 0),
    }
    same(found, wanted, of=f"ResidualBlock({dim}, {hidden})(x) in evaluation", given={"x": x}, mistakes=mistakes)


@hint("Linear, ReLU, the blocks (hidden_dim // 2 inside), Linear; no ReLU at the end.")
@pytest.mark.parametrize(("dim", "hidden", "blocks", "classes"), [(3, 4, 0, 2), (3, 4, 1, 2), (5, 6, 3, 4)])
def test_network(dim, hidden, blocks, classes):
    model = mlp_resnet.MLPResNet(dim, hidden, blocks, classes)
    model.eval()
    x = random(3, dim)
    sizes = [list(p.shape) for p in model.parameters()]
    inner, outer = [hidden // 2], [hidden]
    of_block = [[hidden, hidden // 2], [1, hidden // 2], inner, inner, [hidden // 2, hidden], [1, hidden], outer, outer]
    expected = [[dim, hidden], [1, hidden], *of_block * blocks, [hidden, classes], [1, classes]]
    same(sizes, expected, of=f"the shapes of the parameters of MLPResNet({dim}, {hidden}, {blocks}, {classes})")
    numbers = filled(model)
    found = model(constant(x.astype("float32")))
    expected = Standard(numbers).network(blocks)(x)
    mistakes = {
        "the first ReLU is missing": Standard(numbers).network(blocks, first_relu=False)(x),
        "there is a ReLU at the end": np.maximum(expected, 0),
    }
    same(found, expected, of="the logits", mistakes=mistakes, rtol=1e-3, atol=1e-4)


@hint("norm makes the normalization of a block, and drop_prob is Dropout's p; MLPResNet hands both on.")
@pytest.mark.parametrize("norm", [nn.LayerNorm1d, nn.BatchNorm1d])
def test_options(norm):
    np.random.seed(0)
    model = mlp_resnet.MLPResNet(3, 4, 2, norm=norm, drop_prob=0.3)
    found = kinds(model)
    same(found.count(norm.__name__), 4, of=f"how many {norm.__name__} there are with norm={norm.__name__}")
    rates = [each.p for each in model._children() if isinstance(each, nn.Dropout)]
    same(rates, [0.3, 0.3], of="p of the Dropouts with drop_prob=0.3")
    same(list(model.parameters()[-1].shape), [1, 10], of="the shape of the last bias, with num_classes as it is")


def images(n, seed=0):
    return random(n, 2, 2, 1, seed=seed, dtype="float32"), (np.arange(n) % 3).astype("uint8")


def small_model():
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.0))
    fill(model.modules[0].weight, random(4, 3, seed=3))
    fill(model.modules[0].bias, random(1, 3, seed=4))
    return model


def softmax_regression(order, size, lr):
    """Errors, losses and weights of an epoch, in NumPy; lr = 0 for evaluation."""
    X, y = images(len(order))  # noqa: N806
    X, W, b = X.reshape(len(X), 4).astype(float), random(4, 3, seed=3), random(1, 3, seed=4)  # noqa: N806
    losses, wrong = [], 0
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        x, truth = X[rows], np.eye(3)[y[rows]]
        z = x @ W + b
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        losses.append(-np.log((p * truth).sum(1)).mean())
        wrong += int((z.argmax(1) != y[rows]).sum())
        g = (p - truth) / len(rows)
        W, b = W - lr * x.T @ g, b - lr * g.sum(0, keepdims=True)  # noqa: N806
    return wrong, losses, W


@hint("Errors / samples, and the mean of the batch losses; without an optimizer nothing is changed.")
@pytest.mark.parametrize(("n", "size"), [(4, 4), (9, 3), (10, 4)])
def test_epoch_of_evaluation(n, size):
    model = small_model()
    error, loss = mlp_resnet.epoch(data.DataLoader(data.NDArrayDataset(*images(n)), size), model)
    wrong, losses, _ = softmax_regression(np.arange(n), size, 0.0)
    sizes = [min(size, n - start) for start in range(0, n, size)]
    mistakes = {"it is the number of errors": wrong, "it is the part that is right": 1 - wrong / n}
    same(error, wrong / n, of="the error", mistakes=mistakes)
    mistakes = {"it is the sum of the losses": sum(losses), "it is the mean over samples": np.dot(losses, sizes) / n}
    if n % size == 0:
        del mistakes["it is the mean over samples"]
    same(loss, float(np.mean(losses)), of="the loss", mistakes=mistakes)
    same(model.training, False, of="model.training, afterwards")
    same(model.modules[0].weight, random(4, 3, seed=3), of="the weight, afterwards")


@hint("For each batch: reset_grad, backward, step. Each batch is judged before its step.")
@pytest.mark.parametrize(("n", "size", "shuffle"), [(4, 4, False), (9, 3, False), (10, 4, True)])
def test_epoch_of_training(n, size, shuffle):
    model = small_model()
    model.eval()
    opt = ndl.optim.SGD(model.parameters(), lr=0.5)
    loader = data.DataLoader(data.NDArrayDataset(*images(n)), size, shuffle)
    error, loss = mlp_resnet.epoch(loader, model, opt)
    order = np.random.RandomState(4).permutation(n) if shuffle else np.arange(n)
    wrong, losses, weight = softmax_regression(order, size, 0.5)
    given = {"weight before": random(4, 3, seed=3)}
    mistakes = {"nothing was learned": random(4, 3, seed=3)}
    same(model.modules[0].weight, weight, of="the weight, afterwards", given=given, mistakes=mistakes)
    same([error, loss], [wrong / n, float(np.mean(losses))], of="error and loss")
    same(model.training, True, of="model.training, afterwards")


@hint("Seed with 4; training set shuffled, test set not; MLPResNet(784, hidden_dim); the numbers of the last epoch.")
@pytest.mark.parametrize("epochs", [1, 2])
def test_train_mnist(epochs, tmp_path, monkeypatch):
    small_mnist(tmp_path)
    made = mlp_resnet.MLPResNet

    def network(*args, **options):
        model = made(*args, **options)
        filled(model)
        return model

    monkeypatch.setattr(mlp_resnet, "MLPResNet", network)
    found = mlp_resnet.train_mnist(20, epochs, ndl.optim.SGD, 0.1, 0.001, 8, str(tmp_path))
    expected = TRAINED[epochs]
    parts = ["train error", "train loss", "test error", "test loss"]
    same(len(found), 4, of="how many numbers train_mnist gives")
    for what, number, right in zip(parts, found, expected):
        same(number, right, of=f"the {what} after {epochs} epochs", rtol=2e-3)


def small_mnist(folder):
    """100 images of MiniMNIST to train on, 50 to test."""
    mini = Path(data.__file__).with_name("mini_mnist")
    for name, count in (("train", 100), ("t10k", 50)):
        pair = [f"{name}-images-idx3-ubyte.gz", f"{name}-labels-idx1-ubyte.gz"]
        for file, array in zip(pair, idx.read_pair(*[mini / file for file in pair])):
            idx.write(folder / file, array[::7][:count])


#: What the library gave, whose parts are tested above and in the other tasks.
TRAINED = {1: (0.88, 4.35029, 0.9, 3.29987), 2: (0.85, 2.752, 0.88, 3.05418)}
