"""mlp_resnet: the network's structure and numbers, and what an epoch measures and draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax

import mlp_resnet
import needle as ndl
from needle import nn
from needle.data import DataLoader, MNISTDataset


@pytest.fixture
def held_out(small_mnist: Path) -> MNISTDataset:
    return MNISTDataset(small_mnist / "t10k-images-idx3-ubyte.gz", small_mnist / "t10k-labels-idx1-ubyte.gz")


def kinds(module: nn.Module) -> list[str]:
    """The kinds of the modules that have no parts, in order."""
    names = {"Sequential", "Residual"}
    return [type(part).__name__ for part in module._children() if type(part).__name__ not in names]


def test_a_block_is_relu_of_x_plus_two_linear_layers_with_norms() -> None:
    np.random.seed(0)
    block = mlp_resnet.ResidualBlock(4, 3, norm=nn.LayerNorm1d, drop_prob=0.5)
    assert kinds(block) == ["Linear", "LayerNorm1d", "ReLU", "Dropout", "Linear", "LayerNorm1d", "ReLU"]
    assert [p.shape for p in block.parameters()] == [(4, 3), (1, 3), (3,), (3,), (3, 4), (1, 4), (4,), (4,)]
    x = np.random.rand(5, 4).astype(np.float32)
    w1, b1, _, _, w2, b2, _, _ = (p.numpy() for p in block.parameters())

    def norm(z: np.ndarray) -> np.ndarray:
        return (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + 1e-5)

    expected = np.maximum(x + norm(np.maximum(norm(x @ w1 + b1), 0) @ w2 + b2), 0)
    np.testing.assert_allclose(block.eval()(ndl.Tensor(x)).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_the_network_is_linear_relu_blocks_linear() -> None:
    model = mlp_resnet.MLPResNet(12, hidden_dim=10, num_blocks=2, num_classes=7, norm=nn.LayerNorm1d, drop_prob=0.2)
    block = ["Linear", "LayerNorm1d", "ReLU", "Dropout", "Linear", "LayerNorm1d", "ReLU"]
    assert kinds(model) == ["Linear", "ReLU", *block, *block, "Linear"]
    weights = [p.shape for p in model.parameters() if len(p.shape) == 2 and p.shape[0] > 1]
    assert weights == [(12, 10), (10, 5), (5, 10), (10, 5), (5, 10), (10, 7)]
    assert {part.p for part in model._children() if isinstance(part, nn.Dropout)} == {0.2}
    assert model(ndl.Tensor(np.ones((3, 12), np.float32))).shape == (3, 7)


def test_the_defaults_are_the_course_s() -> None:
    model = mlp_resnet.MLPResNet(784)
    assert sum(isinstance(part, nn.Residual) for part in model._children()) == 3
    assert sum(isinstance(part, nn.BatchNorm1d) for part in model._children()) == 6
    weights = [p.shape for p in model.parameters() if len(p.shape) == 2 and p.shape[0] > 1]
    assert weights == [(784, 100), *[(100, 50), (50, 100)] * 3, (100, 10)]


def test_an_evaluating_epoch_measures_the_model_and_changes_nothing(held_out) -> None:
    np.random.seed(1)
    model = mlp_resnet.MLPResNet(784, hidden_dim=16, num_blocks=1)
    before = model.state_dict()
    error, loss = mlp_resnet.epoch(DataLoader(held_out, batch_size=60), model)
    assert not model.training
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    images, labels = held_out[:]
    logits = model(ndl.Tensor(images.reshape(200, 784))).numpy()
    assert error == np.mean(logits.argmax(axis=1) != labels)
    losses = -log_softmax(logits, axis=1)[range(200), labels]
    batches = [losses[start : start + 60].mean() for start in range(0, 200, 60)]
    np.testing.assert_allclose(loss, np.mean(batches), rtol=1e-5)


def test_a_training_epoch_steps_on_every_batch_and_learns(held_out) -> None:
    np.random.seed(1)
    model = mlp_resnet.MLPResNet(784, hidden_dim=16, num_blocks=1).eval()
    opt = ndl.optim.Adam(model.parameters(), lr=0.01)
    loader = DataLoader(held_out, batch_size=50, shuffle=True)
    first_error, first_loss = mlp_resnet.epoch(loader, model, opt)
    assert model.training
    assert opt.t == 4
    for _ in range(10):
        error, loss = mlp_resnet.epoch(loader, model, opt)
    assert error < first_error / 2
    assert loss < first_loss / 2


def test_an_epoch_seeds_numpy_with_4(held_out) -> None:
    np.random.seed(99)
    mlp_resnet.epoch(DataLoader(held_out, batch_size=100, shuffle=True), nn.Sequential(nn.Linear(784, 10)))
    after = np.random.rand()
    np.random.seed(4)
    np.random.permutation(200)
    assert np.random.rand() == after


def test_train_mnist_gives_the_figures_of_the_last_epoch(small_mnist: Path, held_out) -> None:
    arguments = {"batch_size": 50, "optimizer": ndl.optim.SGD, "lr": 0.05, "weight_decay": 0.01, "hidden_dim": 12}
    result = mlp_resnet.train_mnist(epochs=2, data_dir=str(small_mnist), **arguments)

    np.random.seed(4)
    model = mlp_resnet.MLPResNet(784, 12)
    opt = ndl.optim.SGD(model.parameters(), lr=0.05, weight_decay=0.01)
    train_set = MNISTDataset(small_mnist / "train-images-idx3-ubyte.gz", small_mnist / "train-labels-idx1-ubyte.gz")
    train_loader = DataLoader(train_set, 50, shuffle=True)
    mlp_resnet.epoch(train_loader, model, opt)
    expected = [*mlp_resnet.epoch(train_loader, model, opt), *mlp_resnet.epoch(DataLoader(held_out, 50), model)]
    assert list(result) == expected
    assert result == mlp_resnet.train_mnist(epochs=2, data_dir=str(small_mnist), **arguments)


def test_train_mnist_needs_an_epoch(small_mnist: Path) -> None:
    with pytest.raises(ValueError, match="epochs must be at least 1, got 0"):
        mlp_resnet.train_mnist(epochs=0, data_dir=str(small_mnist))


def test_weights_are_drawn_in_the_order_of_the_layers():
    np.random.seed(3)
    found = [p.numpy() for p in mlp_resnet.MLPResNet(5, hidden_dim=4, num_blocks=2, num_classes=3).parameters()]
    np.random.seed(3)
    layers = [nn.Linear(5, 4), nn.Linear(4, 2), nn.Linear(2, 4), nn.Linear(4, 2), nn.Linear(2, 4), nn.Linear(4, 3)]
    drawn = [p.numpy() for layer in layers for p in layer.parameters()]
    for expected in drawn:
        assert any(expected.shape == a.shape and (expected == a).all() for a in found)
