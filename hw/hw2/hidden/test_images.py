"""Transforms and MNISTDataset, with care."""

from __future__ import annotations

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import drawing
from hw.hw2.tests.test_images import FILES, crop, raw
from hw.testing import hint, same
from needle import data


@hint("The image that was given stays what it is, and dtype and shape too.")
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_input_is_unchanged(dtype):
    img = (10 * random(5, 4, 3, low=1.0)).astype(dtype)
    before = img.copy()
    for seed in range(6):
        draw = drawing(seed)
        shifts = draw.randint(-2, 3, size=2)
        same(data.RandomCrop(2)(img), crop(img, 2, *shifts), of=f"RandomCrop(2)(img), shifts {shifts}", dtype=dtype)
        same(np.random.rand(), draw.rand(), of="the next random number")
    np.random.seed(0)
    same(data.RandomFlipHorizontal(1.0)(img), before[:, ::-1], of="the flipped image", dtype=dtype)
    same(img, before, of="img, afterwards")


@hint("Every shift is possible, from -padding to padding, both ends included; larger than the image is allowed.")
def test_all_shifts():
    img = np.ones((2, 3, 1))
    crop_it = data.RandomCrop(4)
    draw = drawing(3)
    found = np.stack([crop_it(img) for _ in range(100)])
    expected = np.stack([crop(img, 4, *draw.randint(-4, 5, size=2)) for _ in range(100)])
    same(found, expected, of="100 crops of an image of 2 x 3, padding 4")
    same(data.RandomCrop(0)(img), img, of="RandomCrop(0)(img)")


@hint("An empty slice has shapes (0, 28, 28, 1) and (0,), also with transforms.")
@pytest.mark.parametrize("transforms", [None, [], [data.RandomCrop()]], ids=["none", "empty", "crop"])
def test_empty_slices(transforms):
    np.random.seed(0)
    images, labels = data.MNISTDataset(*FILES, transforms=transforms)[5:5]
    same([list(images.shape), list(labels.shape)], [[0, 28, 28, 1], [0]], of="the shapes of dataset[5:5]")
    same(images.dtype.name, "float32", of="the dtype of dataset[5:5]")


@hint("Reading a sample changes nothing: the second time it is the same. Without transforms nothing is drawn.")
def test_samples_are_independent():
    dataset = data.MNISTDataset(*FILES)
    draw = drawing(1)
    first, _ = dataset[3]
    first[:] = -1
    images, labels = raw()
    same(
        dataset[3][0],
        images[3][..., None] / np.float32(255),
        of="dataset[3], after the image was overwritten",
        atol=1e-6,
    )
    same(np.random.rand(), draw.rand(), of="the next random number")
    found, truth = dataset[::100]
    same(found[..., 0], images[::100] / np.float32(255), of="the images of dataset[::100]", dtype="float32", atol=1e-6)
    same(truth, labels[::100], of="the labels of dataset[::100]")
