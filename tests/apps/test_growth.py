"""Training for long keeps nothing: neither nodes of old graphs nor memory."""

from __future__ import annotations

import gc
import resource
import sys
from contextlib import nullcontext

import numpy as np
import pytest

import needle as ndl
import needle.nn as nn
from needle.data import DataLoader, MiniMNIST, NDArrayDataset


@pytest.mark.parametrize("mode", ["eager", "lazy"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_twenty_epochs_grow_neither_the_live_values_nor_the_memory(mode: str, create_graph: bool) -> None:
    np.random.seed(0)
    images, labels = MiniMNIST(train=True)[:1000]
    loader = DataLoader(NDArrayDataset(images, labels), batch_size=100, shuffle=True)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 10)
    )
    optimizer = ndl.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-3)
    values, peaks, losses = [], [], []

    with ndl.lazy_mode() if mode == "lazy" else nullcontext():
        for _ in range(20):
            total = 0.0
            for x, y in loader:
                loss = nn.SoftmaxLoss()(model(x), y)
                optimizer.reset_grad()
                loss.backward(create_graph=create_graph)
                optimizer.step()
                total += loss.item()
            del x, y, loss
            gc.collect()
            values.append(ndl.autograd.TENSOR_COUNTER)
            peaks.append(
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
            )
            losses.append(total)

    assert losses[-1] < losses[0] / 4  # it did train
    assert len(set(values[1:])) == 1, values
    assert peaks[-1] - peaks[4] < 2, f"peak resident memory by epoch, in MiB: {peaks}"
