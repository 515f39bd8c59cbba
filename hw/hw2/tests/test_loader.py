"""DataLoader."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import drawing
from hw.testing import hint, same
from needle import data
from needle.autograd import Tensor


class Squares(data.Dataset):
    """Sample i: an array [i, i^2], and i. It takes single positions only."""

    def __init__(self, n):
        super().__init__()
        self.n = n

    def __getitem__(self, index):
        if not isinstance(index, int):
            raise TypeError(f"this dataset takes whole numbers, not {type(index).__name__}")
        if not 0 <= index < self.n:
            raise IndexError(index)
        return np.array([index, index**2], dtype="float32"), index

    def __len__(self):
        return self.n


def rows(order):
    return np.array([[i, i**2] for i in order], dtype="float32").reshape(-1, 2)


def split(order, size):
    return [order[i : i + size] for i in range(0, len(order), size)]


def compare(loader, orders, of):
    found = list(loader)
    same(len(found), len(orders), of=f"how many batches there are in {of}")
    for i, (batch, order) in enumerate(zip(found, orders)):
        mistakes = {"they are in order, not shuffled": rows(range(len(order)))} if loader.shuffle else {}
        same(batch[0], rows(order), of=f"the arrays of batch {i} in {of}", mistakes=mistakes)
        same(batch[1], np.array(order), of=f"the labels of batch {i} in {of}")


@hint("Batches in order; the last holds what is left.")
@pytest.mark.parametrize(("n", "size"), [(1, 1), (4, 2), (5, 2), (3, 10), (6, 3)])
def test_in_order(n, size):
    compare(data.DataLoader(Squares(n), size), split(list(range(n)), size), f"{n} samples, {size} in a batch")


@hint("The number of batches, the short one included: ceil(samples / batch_size).")
@pytest.mark.parametrize(("n", "size"), [(4, 2), (5, 2), (3, 10), (1, 1), (0, 3)])
def test_length(n, size):
    expected = -(-n // size)
    mistakes = {"the last batch, which is short, is not counted": n // size, "it is the number of samples": n}
    if n % size == 0:
        mistakes = {"there is one too many": expected + 1}
    of = f"len(DataLoader(...)), {n} samples, batch_size {size}"
    same(len(data.DataLoader(Squares(n), size)), expected, of=of, mistakes=mistakes)


@hint("A batch is a tuple of Tensors that require no gradient.")
@pytest.mark.parametrize("n", [1, 3])
def test_tensors(n):
    for batch in data.DataLoader(Squares(n), 2):
        same([type(batch).__name__, len(batch)], ["tuple", 2], of="the type and the length of a batch")
        same([isinstance(x, Tensor) for x in batch], [True, True], of="whether they are Tensors")
        same([x.requires_grad for x in batch], [False, False], of="whether they require a gradient")


@hint("order = np.random.permutation(n), once for each iteration.")
@pytest.mark.parametrize(("n", "size"), [(6, 2), (10, 4), (5, 5)])
def test_shuffled(n, size):
    draw = drawing(2)
    loader = data.DataLoader(Squares(n), size, shuffle=True)
    for epoch in (1, 2):
        order = draw.permutation(n)
        compare(loader, split(order.tolist(), size), f"epoch {epoch}, shuffled")
    same(np.random.rand(), draw.rand(), of="the next random number")


@hint("Without shuffle nothing is drawn; and one can go through a loader again.")
@pytest.mark.parametrize("size", [2, 3])
def test_again(size):
    draw = drawing(2)
    loader = data.DataLoader(Squares(5), size)
    for epoch in (1, 2, 3):
        compare(loader, split(list(range(5)), size), f"epoch {epoch}")
    same(np.random.rand(), draw.rand(), of="the next random number")


@hint("dataset.takes_index_arrays says that dataset[array of positions] gives the batch at once.")
@pytest.mark.parametrize("fields", [1, 2, 3])
def test_datasets_that_take_arrays(fields):
    arrays = [random(5, *[2] * i, seed=i) for i in range(fields)]
    batches = list(data.DataLoader(data.NDArrayDataset(*arrays), 2))
    for start, batch in zip((0, 2, 4), batches):
        for i, array in enumerate(arrays):
            same(batch[i], array[start : start + 2], of=f"field {i} of the batch that begins at {start}")
    same([len(batches), len(batches[0])], [3, fields], of="the number of batches, and of fields")
