"""DataLoader: every sample once an epoch, in the order that NumPy's generator draws, and whole batches at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import needle as ndl
from needle.data import DataLoader, Dataset, MiniMNIST, NDArrayDataset


def columns(loader: DataLoader) -> list[np.ndarray]:
    """All batches of one epoch put together again, member by member."""
    return [np.concatenate([x.numpy() for x in member]) for member in zip(*loader)]


@given(n=st.integers(1, 40), batch_size=st.integers(1, 45), shuffle=st.booleans(), seed=st.integers(0, 9))
def test_an_epoch_gives_every_sample_once_in_the_drawn_order(n, batch_size, shuffle, seed) -> None:
    x, y = np.random.RandomState(0).rand(n, 2).astype(np.float32), np.arange(n)
    loader = DataLoader(NDArrayDataset(x, y), batch_size, shuffle)
    np.random.seed(seed)
    sizes = [labels.shape[0] for _, labels in loader]
    assert sizes == [batch_size] * (n // batch_size) + [n % batch_size] * (n % batch_size > 0)
    assert len(loader) == len(sizes)
    np.random.seed(seed)
    order = np.random.permutation(n) if shuffle else np.arange(n)
    np.random.seed(seed)
    rows, labels = columns(loader)
    np.testing.assert_array_equal(rows, x[order])
    np.testing.assert_array_equal(labels, order)


def test_shuffling_draws_exactly_one_permutation_when_an_epoch_starts() -> None:
    loader = DataLoader(NDArrayDataset(np.arange(30)), batch_size=4, shuffle=True)
    np.random.seed(3)
    np.random.permutation(30)
    after = np.random.rand()
    np.random.seed(3)
    batches = iter(loader)
    assert np.random.rand() == after
    np.random.seed(3)
    list(loader)
    assert np.random.rand() == after
    assert len(list(batches)) == 8


def test_without_shuffling_nothing_is_drawn() -> None:
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    list(DataLoader(MiniMNIST(train=False), batch_size=500))
    assert np.random.rand() == expected


def test_batches_are_tuples_of_tensors_that_need_no_gradient() -> None:
    batch = next(iter(DataLoader(MiniMNIST(train=False), batch_size=100)))
    assert isinstance(batch, tuple)
    assert [type(x) for x in batch] == [ndl.Tensor, ndl.Tensor]
    assert [x.shape for x in batch] == [(100, 28, 28, 1), (100,)]
    assert not any(x.requires_grad for x in batch)
    assert batch[0].dtype == "float32"


def test_batches_lie_on_the_device_that_was_asked_for() -> None:
    device = ndl.cpu_numpy()
    batch = next(iter(DataLoader(MiniMNIST(train=False), batch_size=10, device=device)))
    assert [x.device for x in batch] == [device, device]


def test_two_iterations_at_a_time_do_not_disturb_each_other() -> None:
    loader = DataLoader(NDArrayDataset(np.arange(6)), batch_size=2)
    pairs = [(a.numpy().tolist(), b.numpy().tolist()) for (a,), (b,) in zip(loader, loader)]
    assert pairs == [([0, 1], [0, 1]), ([2, 3], [2, 3]), ([4, 5], [4, 5])]


class CountingDataset(Dataset):
    """Squares, that counts how it is indexed."""

    def __init__(self, as_tuple: bool = True) -> None:
        super().__init__()
        self.indices: list[object] = []
        self.as_tuple = as_tuple

    def __getitem__(self, index):
        self.indices.append(index)
        return (np.full(3, index**2), index) if self.as_tuple else np.full(3, index**2)

    def __len__(self) -> int:
        return 5


class CountingArrayDataset(CountingDataset):
    """The same for arrays of positions."""

    takes_index_arrays = True

    def __getitem__(self, index):
        self.indices.append(index)
        return (index**2)[:, None] * np.ones(3), index


def test_samples_are_stacked_where_a_dataset_takes_single_positions() -> None:
    dataset = CountingDataset()
    squares, positions = columns(DataLoader(dataset, batch_size=2))
    np.testing.assert_array_equal(squares, np.arange(5)[:, None] ** 2 * np.ones((1, 3)))
    np.testing.assert_array_equal(positions, np.arange(5))
    assert dataset.indices == [0, 1, 2, 3, 4]
    assert all(type(index) is int for index in dataset.indices)


def test_a_dataset_that_takes_index_arrays_is_asked_once_for_each_batch() -> None:
    dataset = CountingArrayDataset()
    squares, positions = columns(DataLoader(dataset, batch_size=2))
    np.testing.assert_array_equal(squares, np.arange(5)[:, None] ** 2 * np.ones((1, 3)))
    np.testing.assert_array_equal(positions, np.arange(5))
    assert [list(index) for index in dataset.indices] == [[0, 1], [2, 3], [4]]


def test_samples_that_are_no_tuples_and_datasets_of_other_making_work() -> None:
    (squares,) = columns(DataLoader(CountingDataset(as_tuple=False), batch_size=2))
    assert squares.shape == (5, 3)
    (numbers,) = columns(DataLoader([1.0, 2.0, 4.0], batch_size=2))
    np.testing.assert_array_equal(numbers, [1, 2, 4])
    (tensors,) = columns(DataLoader([(ndl.Tensor([1.0, 2.0]),), (ndl.Tensor([3.0, 4.0]),)], batch_size=2))
    np.testing.assert_array_equal(tensors, [[1, 2], [3, 4]])


def test_transforms_draw_per_image_in_the_order_of_the_batch() -> None:
    noisy = MiniMNIST(train=False, transforms=[lambda image: image * np.random.rand()])
    plain = MiniMNIST(train=False)
    np.random.seed(5)
    images, _ = next(iter(DataLoader(noisy, batch_size=20, shuffle=True)))
    np.random.seed(5)
    order = np.random.permutation(1000)[:20]
    expected = np.stack([plain[int(i)][0] * np.random.rand() for i in order])
    np.testing.assert_allclose(images.numpy(), expected, rtol=1e-6)


def test_an_empty_dataset_has_no_batches() -> None:
    loader = DataLoader(NDArrayDataset(np.ones((0, 3))), batch_size=2, shuffle=True)
    assert len(loader) == 0
    assert list(loader) == []


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_size_below_one_is_refused(batch_size: int) -> None:
    with pytest.raises(ValueError, match=f"batch_size must be at least 1, got {batch_size}"):
        DataLoader(NDArrayDataset(np.ones(3)), batch_size)
