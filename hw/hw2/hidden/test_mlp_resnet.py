"""The residual network and its training, with care."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import needle as ndl
from apps import mlp_resnet
from hw.derivatives import random
from hw.hw2.tests.checks import constant, drawing, fill
from hw.hw2.tests.test_mlp_resnet import filled, images, kinds, small_mnist, small_model
from hw.testing import hint, same
from needle import data, nn


@hint("In training, each layer in its order: batch statistics, a mask, batch statistics, and the sum.")
@pytest.mark.parametrize("norm", [nn.BatchNorm1d, nn.LayerNorm1d])
def test_block_in_training(norm):
    block = mlp_resnet.ResidualBlock(3, 4, norm, 0.4)
    x, numbers = random(5, 3), filled(block)
    first, _, second, _ = zip(numbers[::2], numbers[1::2])
    for position in (2, 6):
        fill(block.parameters()[position], np.ones(numbers[position].shape))
        fill(block.parameters()[position + 1], np.zeros(numbers[position].shape))
    axis = 0 if norm is nn.BatchNorm1d else 1

    def normal(a):
        return (a - a.mean(axis, keepdims=True)) / np.sqrt(a.var(axis, keepdims=True) + 1e-5)

    mask = (drawing(1).rand(5, 4) <= 0.6) / 0.6
    hidden = np.maximum(normal(x @ first[0] + first[1]), 0) * mask
    expected = np.maximum(x + normal(hidden @ second[0] + second[1]), 0)
    same(
        block(constant(x.astype("float32"))), expected, of="ResidualBlock(3, 4)(x) while training", rtol=1e-3, atol=1e-4
    )


@hint("The order of layers is the order of the docstring, in the tree of modules too: parameters() follows it.")
def test_order():
    np.random.seed(0)
    model = mlp_resnet.MLPResNet(6, 4, 1, 3)
    block = ["Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear", "BatchNorm1d", "ReLU"]
    same(kinds(model), ["Linear", "ReLU", *block, "Linear"], of="the layers of MLPResNet(6, 4, 1, 3)")
    standard = [list(p.shape) for p in mlp_resnet.MLPResNet(20).parameters()]
    same([len(standard), standard[0], standard[2]], [28, [20, 100], [100, 50]], of="the defaults: 3 blocks, 100, 50")


@hint("epoch seeds NumPy with 4 at its beginning; the same epoch twice is the same, dropout included.")
@pytest.mark.parametrize("optimizer", [ndl.optim.SGD, ndl.optim.Adam])
def test_epoch_can_be_repeated(optimizer):
    results = []
    for seed in (0, 99):
        np.random.seed(1)
        model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3))
        opt = optimizer(model.parameters(), lr=0.1)
        np.random.seed(seed)
        loader = data.DataLoader(data.NDArrayDataset(*images(10)), 4, shuffle=True)
        results.append([*mlp_resnet.epoch(loader, model, opt), *mlp_resnet.epoch(loader, model, opt)])
    same(results[0], results[1], of="errors and losses of two epochs, whatever was drawn before")


@hint("Evaluation leaves everything as it is: parameters, running estimates, gradients; and it ends in eval mode.")
def test_evaluation_changes_nothing():
    model = mlp_resnet.MLPResNet(4, 6, 1, 3)
    filled(model)
    before = {name: array.copy() for name, array in model.state_dict().items()}
    loader = data.DataLoader(data.NDArrayDataset(*images(10)), 4)
    mlp_resnet.epoch(loader, model)
    for name, array in model.state_dict().items():
        same(array, before[name], of=f"{name}, after an epoch of evaluation")
    same([p.grad for p in model.parameters()], [None] * len(model.parameters()), of="the gradients")
    same(any(each.training for each in [model, *model._children()]), False, of="whether anything is in training mode")


@hint("A graph is let go with its batch: what is added up are numbers, not Tensors.")
def test_graphs_are_let_go():
    made = []

    class Watched(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, x):
            made.append((weakref.ref(y := self.model(x)), sum(each() is not None for each, _ in made)))
            return y

    model = Watched(small_model())
    opt = ndl.optim.SGD(model.parameters(), lr=0.1)
    error, loss = mlp_resnet.epoch(data.DataLoader(data.NDArrayDataset(*images(20)), 2), model, opt)
    gc.collect()
    same(max(alive for _, alive in made) <= 3, True, of="whether at most 3 batches' outputs were alive at any time")
    left = sum(each() is not None for each, _ in made)  # the gradients of the last batch may be nodes
    same(left <= 1, True, of="whether at most the last batch's output is alive afterwards")
    same([isinstance(error, (float, np.floating)), isinstance(loss, (float, np.floating))], [True, True], of="floats")


@hint("The optimizer is made with lr and weight_decay; batch_size, epochs and hidden_dim are used.")
def test_arguments_of_train_mnist(tmp_path):
    small_mnist(tmp_path)
    seen = {}

    class Spy(ndl.optim.SGD):
        def __init__(self, params, lr=0.0, weight_decay=0.0):
            super().__init__(params, lr=lr, weight_decay=weight_decay)
            seen.update(lr=lr, decay=weight_decay, shapes=[list(p.shape) for p in self.params], steps=0)

        def step(self):
            seen["steps"] += 1
            super().step()

    mlp_resnet.train_mnist(30, 2, Spy, 0.05, 0.25, 12, str(tmp_path))
    same([seen["lr"], seen["decay"]], [0.05, 0.25], of="lr and weight_decay")
    same(seen["steps"], 8, of="how many steps there are: 2 epochs of 100 images in batches of 30")
    same([len(seen["shapes"]), seen["shapes"][0], seen["shapes"][2]], [28, [784, 12], [12, 6]], of="the parameters")
