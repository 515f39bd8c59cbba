"""DataLoader, with care."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import drawing
from hw.hw2.tests.test_loader import Squares, rows
from hw.testing import hint, same
from needle import data


class Plain:
    """No Dataset at all, and a sample is one array."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return np.full((2, 2), float(index))


@hint("Anything with __len__ and __getitem__ will do; a sample that is no tuple makes batches of one Tensor.")
@pytest.mark.parametrize("size", [1, 2, 5])
def test_anything_with_a_length(size):
    batches = list(data.DataLoader(Plain(), size))
    same([len(batch) for batch in batches], [1] * -(-5 // size), of="how many Tensors each batch has")
    found = np.concatenate([batch[0].numpy() for batch in batches])
    same(found, np.arange(5.0)[:, None, None] * np.ones((1, 2, 2)), of="all samples")


@hint("Two iterations at the same time do not disturb each other: the position belongs to the iteration.")
def test_two_iterations():
    loader = data.DataLoader(Squares(6), 2)
    pairs = [(a[1].numpy(), b[1].numpy()) for a in loader for b in loader]
    same(len(pairs), 9, of="how many pairs of batches there are")
    same(pairs[5][0], [2, 3], of="the first of pair 5")
    same(pairs[5][1], [4, 5], of="the second of pair 5")
    iterator = iter(loader)
    next(iterator)
    same(sum(1 for _ in loader), 3, of="how many batches there are while another iteration is under way")
    same(next(iterator)[1], [2, 3], of="the batch with which that goes on")


@hint("Samples are read when their batch is asked for: the second batch is not read with the first.")
def test_laziness():
    asked = []

    class Watched(Squares):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    iterator = iter(data.DataLoader(Watched(100), 10))
    next(iterator)
    same(len(asked), 10, of="how many samples were read for the first batch")


@hint("dtype and shape of the samples stay: labels are integers, images float32; a batch of one has an axis, too.")
@pytest.mark.parametrize("shuffle", [False, True])
def test_fields(shuffle):
    images, labels = random(5, 3, 2, dtype="float32"), np.arange(5, dtype="uint8")
    draw = drawing(0)
    order = draw.permutation(5) if shuffle else np.arange(5)
    batches = list(data.DataLoader(data.NDArrayDataset(images, labels), 2, shuffle))
    for start, (x, y) in zip((0, 2, 4), batches):
        same(x, images[order[start : start + 2]], of="the images of a batch", dtype="float32")
        same(y, labels[order[start : start + 2]], of="the labels of a batch", dtype="uint8")
    same(list(batches[-1][0].shape), [1, 3, 2], of="the shape of the last batch")


@hint("MNISTDataset and its transforms, through the loader, in the shuffled order.")
def test_a_list_of_pairs():
    samples = [(np.full(3, float(i)), i % 2) for i in range(4)]
    draw = drawing(5)
    ((x, y),) = data.DataLoader(samples, 4, shuffle=True)
    order = draw.permutation(4)
    same(x, np.array([[float(i)] * 3 for i in order]), of="the arrays, from a list of pairs")
    same(y, order % 2, of="the labels, from a list of pairs")
    same(rows(order)[:, 0], x.numpy()[:, 0], of="the order")
