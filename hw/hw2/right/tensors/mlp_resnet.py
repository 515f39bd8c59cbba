"""Tensors throughout, as a student writes it who has not seen the helpers: recursion, sums, `.data`."""

import numpy as np

import needle as ndl
from needle import nn

FILE = "apps/mlp_resnet.py"


def ResidualBlock(dim, hidden_dim, norm=nn.BatchNorm1d, drop_prob=0.1):
    layers = [nn.Linear(dim, hidden_dim), norm(hidden_dim), nn.ReLU(), nn.Dropout(drop_prob)]
    layers += [nn.Linear(hidden_dim, dim), norm(dim)]
    return nn.Sequential(nn.Residual(nn.Sequential(*layers)), nn.ReLU())


def MLPResNet(dim, hidden_dim=100, num_blocks=3, num_classes=10, norm=nn.BatchNorm1d, drop_prob=0.1):
    layers = [nn.Linear(dim, hidden_dim), nn.ReLU()]
    for _ in range(num_blocks):
        layers.append(ResidualBlock(hidden_dim, hidden_dim // 2, norm=norm, drop_prob=drop_prob))
    layers.append(nn.Linear(hidden_dim, num_classes))
    return nn.Sequential(*layers)


def epoch(dataloader, model, opt=None):
    np.random.seed(4)
    if opt is None:
        model.eval()
    else:
        model.train()
    loss_of = nn.SoftmaxLoss()
    wrong = count = batches = 0
    total = 0.0
    for x, y in dataloader:
        z = model(x.reshape((x.shape[0], int(np.prod(x.shape[1:])))))
        loss = loss_of(z, y)
        if opt is not None:
            opt.reset_grad()
            loss.backward()
            opt.step()
        wrong += np.sum(np.argmax(z.numpy(), axis=1) != y.numpy())
        count += y.shape[0]
        total += float(loss.numpy())
        batches += 1
    return float(wrong / count), total / batches


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
    loaders = []
    for name in ("train", "t10k"):
        images = f"{data_dir}/{name}-images-idx3-ubyte.gz"
        labels = f"{data_dir}/{name}-labels-idx1-ubyte.gz"
        dataset = ndl.data.MNISTDataset(images, labels)
        loaders.append(ndl.data.DataLoader(dataset, batch_size=batch_size, shuffle=name == "train"))
    model = MLPResNet(784, hidden_dim=hidden_dim)
    opt = optimizer(model.parameters(), lr=lr, weight_decay=weight_decay)
    for _ in range(epochs):
        learned = epoch(loaders[0], model, opt)
        tested = epoch(loaders[1], model)
    return *learned, *tested
