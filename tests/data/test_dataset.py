"""Datasets and transforms: what an index gives, and which random numbers are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import needle as ndl
from needle.data import Dataset, MiniMNIST, MNISTDataset, NDArrayDataset, RandomCrop, RandomFlipHorizontal, idx


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Three images of random pixels with the labels 7, 2, 1."""
    images, labels = tmp_path / "images", tmp_path / "labels"
    idx.write(images, np.random.RandomState(1).randint(0, 256, (3, 28, 28)).astype(np.uint8))
    idx.write(labels, np.array([7, 2, 1], np.uint8))
    return images, labels


def test_an_item_of_mnist_is_an_image_in_0_1_and_its_label(files) -> None:
    dataset = MNISTDataset(*files)
    image, label = dataset[1]
    assert image.shape == (28, 28, 1)
    assert image.dtype == np.float32
    assert label == 2
    np.testing.assert_array_equal(image[:, :, 0], idx.read_images(files[0])[1] / np.float32(255))
    assert len(dataset) == 3


@pytest.mark.parametrize("index", [slice(0, 2), slice(None, None, -1), np.array([2, 0]), [1, 1, -1], slice(0, 0)])
def test_a_slice_or_an_array_of_positions_gives_stacked_items(files, index) -> None:
    dataset = MNISTDataset(*files)
    images, labels = dataset[index]
    positions = np.arange(3)[index]
    assert images.shape == (len(positions), 28, 28, 1)
    assert images.dtype == np.float32
    assert labels.shape == (len(positions),)
    for image, label, position in zip(images, labels, positions):
        np.testing.assert_array_equal(image, dataset[int(position)][0])
        assert label == dataset[int(position)][1]


def test_an_index_past_the_end_is_an_index_error_and_so_iteration_ends(files) -> None:
    dataset = MNISTDataset(*files)
    with pytest.raises(IndexError):
        dataset[3]
    assert [int(label) for _, label in dataset] == [7, 2, 1]


def test_transforms_are_applied_to_each_image_in_order(files) -> None:
    plain = MNISTDataset(*files)
    shapes = []

    def double(image):
        shapes.append(image.shape)
        return image * 2

    dataset = MNISTDataset(*files, transforms=[double, lambda image: image + 1])
    np.testing.assert_array_equal(dataset[0][0], plain[0][0] * 2 + 1)
    np.testing.assert_array_equal(dataset[0:3][0], plain[0:3][0] * 2 + 1)
    assert shapes == [(28, 28, 1)] * 4


def test_labels_that_do_not_match_the_images_are_refused(files, tmp_path: Path) -> None:
    idx.write(tmp_path / "four", np.zeros(4, np.uint8))
    with pytest.raises(ValueError, match="holds 4 labels"):
        MNISTDataset(files[0], tmp_path / "four")


def test_ndarray_dataset_gives_tuples_of_rows(files) -> None:
    x, y = np.arange(12.0).reshape(4, 3), ndl.Tensor([0, 1, 2, 3])
    dataset = NDArrayDataset(x, y)
    assert len(dataset) == 4
    row, label = dataset[2]
    np.testing.assert_array_equal(row, [6, 7, 8])
    assert label == 2
    (only,) = NDArrayDataset(x)[1:3]
    np.testing.assert_array_equal(only, x[1:3])


def test_ndarray_dataset_refuses_arrays_of_different_lengths() -> None:
    with pytest.raises(ValueError, match=r"\(3, 2\), \(4,\)"):
        NDArrayDataset(np.ones((3, 2)), np.ones(4))
    with pytest.raises(ValueError, match="none"):
        NDArrayDataset()


def test_a_dataset_must_define_getitem_and_len() -> None:
    class Nothing(Dataset):
        pass

    with pytest.raises(NotImplementedError, match="Nothing must define __getitem__"):
        Nothing()[0]
    with pytest.raises(NotImplementedError, match="Nothing must define __len__"):
        len(Nothing())


def test_the_promise_to_take_index_arrays_is_not_inherited_with_another_getitem() -> None:
    class Brighter(MiniMNIST):
        def __getitem__(self, index):
            assert isinstance(index, int)
            image, label = super().__getitem__(index)
            return image + 1, label

    class Renamed(MiniMNIST):
        pass

    assert MiniMNIST.takes_index_arrays
    assert Renamed.takes_index_arrays
    assert not Brighter.takes_index_arrays
    images, _ = next(iter(ndl.data.DataLoader(Brighter(train=False), batch_size=4)))
    np.testing.assert_array_equal(images.numpy(), MiniMNIST(train=False)[:4][0] + 1)


def test_random_flip_draws_one_uniform_number_for_each_image() -> None:
    image = np.random.RandomState(2).rand(4, 5, 3)
    flip = RandomFlipHorizontal(p=0.3)
    np.random.seed(0)
    draws = np.random.rand(50)
    np.random.seed(0)
    flipped = [flip(image) for _ in draws]
    for draw, result in zip(draws, flipped):
        np.testing.assert_array_equal(result, np.flip(image, axis=1) if draw < 0.3 else image)
    assert (draws < 0.3).any()
    np.testing.assert_array_equal(RandomFlipHorizontal(p=1)(image), np.flip(image, axis=1))
    np.testing.assert_array_equal(RandomFlipHorizontal(p=0)(image), image)


@pytest.mark.parametrize("padding", [0, 1, 3, 9])
def test_random_crop_moves_the_image_by_two_drawn_shifts_and_fills_with_zeros(padding: int) -> None:
    image = np.random.RandomState(3).rand(6, 5, 2)
    crop = RandomCrop(padding)
    for seed in range(20):
        np.random.seed(seed)
        shift_x, shift_y = np.random.randint(-padding, padding + 1, size=2)
        np.random.seed(seed)
        result = crop(image)
        assert result.shape == image.shape
        for i, j in np.ndindex(6, 5):
            inside = 0 <= i + shift_x < 6 and 0 <= j + shift_y < 5
            expected = image[i + shift_x, j + shift_y] if inside else np.zeros(2)
            np.testing.assert_array_equal(result[i, j], expected)
