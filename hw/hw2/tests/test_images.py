"""Transforms of images, and MNISTDataset."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hw.derivatives import random
from hw.hw2.tests.checks import drawing
from hw.testing import hint, same
from needle import data
from needle.data import idx

FOLDER = Path(data.__file__).with_name("mini_mnist")
FILES = FOLDER / "t10k-images-idx3-ubyte.gz", FOLDER / "t10k-labels-idx1-ubyte.gz"


@cache
def raw():
    """The images as bytes, (1000, 28, 28), and the labels."""
    return idx.read_pair(*FILES)


def crop(img, pad, dx, dy):
    """The definition, element by element."""
    out = np.zeros_like(img)
    for i in range(img.shape[0]):
        for j in range(img.shape[1]):
            if 0 <= i + dx < img.shape[0] and 0 <= j + dy < img.shape[1]:
                out[i, j] = img[i + dx, j + dy]
    return out


@hint("out[i, j] = img[i, W - 1 - j]: the second axis, of height, width, channels, is reversed.")
@pytest.mark.parametrize("shape", [(1, 2, 1), (2, 3, 1), (3, 3, 2)])
def test_flip(shape):
    img = random(*shape)
    np.random.seed(0)
    expected = np.array([[img[i, shape[1] - 1 - j] for j in range(shape[1])] for i in range(shape[0])])
    mistakes = {
        "it is upside down": img[::-1],
        "both axes are reversed": img[::-1, ::-1],
        "the channels are reversed": img[:, :, ::-1],
        "rows and columns are swapped": img.transpose(1, 0, 2),
        "nothing happens": img,
    }
    if shape[0] == 1:
        mistakes = {"nothing happens": img}
    given = {"img": img[..., 0]}
    same(
        data.RandomFlipHorizontal(p=1.0)(img),
        expected,
        of="RandomFlipHorizontal(1)(img)",
        given=given,
        mistakes=mistakes,
    )


@hint("One np.random.rand() for each image; flipped where it is below p.")
@pytest.mark.parametrize("p", [0.5, 0.1, 0.0])
def test_flip_at_random(p):
    img, flip = random(2, 3, 1), data.RandomFlipHorizontal(p)
    draw = drawing(0)
    found = [flip(img) for _ in range(20)]
    flips = [draw.rand() < p for _ in range(20)]
    mistakes = {"those are flipped that should not be": [not each for each in flips]}
    seen = [bool(np.array_equal(each, img[:, ::-1])) for each in found]
    same(seen, flips, of=f"which of 20 images are flipped, p = {p}", mistakes=mistakes)
    same(np.random.rand(), draw.rand(), of="the next random number")


@hint("Pad with zeros on each side, then cut the window that begins at (padding + shift_x, padding + shift_y).")
@pytest.mark.parametrize(
    ("shape", "padding", "seed"), [((2, 2, 1), 1, 0), ((3, 4, 1), 2, 1), ((4, 4, 2), 3, 2), ((5, 3, 1), 1, 5)]
)
def test_crop(shape, padding, seed):
    img = random(*shape, low=1.0)
    dx, dy = drawing(seed).randint(-padding, padding + 1, size=2)
    found = data.RandomCrop(padding)(img)
    expected = crop(img, padding, dx, dy)
    results = {
        "the shifts have the wrong sign": crop(img, padding, -dx, -dy),
        "the two shifts are swapped": crop(img, padding, dy, dx),
        "nothing is shifted": img,
        "it is rolled around": np.roll(img, (-dx, -dy), (0, 1)),
        "the window begins at the shift: the padding is not counted": np.pad(
            img, ((padding, padding), (padding, padding), (0, 0))
        )[max(dx, 0) : max(dx, 0) + shape[0], max(dy, 0) : max(dy, 0) + shape[1]],
    }
    mistakes = {what: result for what, result in results.items() if not np.array_equal(result, expected)}
    of = f"RandomCrop({padding})(img), shifts {dx} and {dy}"
    same(found, expected, of=of, given={"img": img[..., 0]}, mistakes=mistakes)


@hint("Each transform gets what the one before gives; without transforms the image comes back as it is.")
@pytest.mark.parametrize("count", [0, 1, 3])
def test_apply_transforms(count):
    steps = [lambda x: x + 1, lambda x: x * 2, lambda x: x - 3][:count]
    x = random(2, 2, 1)
    expected, backwards = x, x
    for step in steps:
        expected = step(expected)
    for step in reversed(steps):
        backwards = step(backwards)
    mistakes = {"they are applied in reverse order": backwards, "only the first is applied": x + 1}
    if count < 2:
        mistakes = {"nothing happens": x} if count else {}
    same(data.Dataset(steps or None).apply_transforms(x), expected, of=f"{count} transforms of x", mistakes=mistakes)


@hint("dataset[i] is an image, float32 in [0, 1] of shape (28, 28, 1), and its label.")
@pytest.mark.parametrize("i", [0, 7, 999, -1])
def test_one_sample(i):
    images, labels = raw()
    dataset = data.MNISTDataset(*FILES)
    same(len(dataset), 1000, of="len(dataset)")
    image, label = dataset[i]
    mistakes = {
        "it is not divided by 255": images[i][..., None].astype("float32"),
        "it is divided by 256": images[i][..., None] / np.float32(256),
        "the last axis is missing": images[i] / np.float32(255),
        "the new axis is in front": images[i][None] / np.float32(255),
        "it is flat": images[i].reshape(-1) / np.float32(255),
    }
    of = f"the image of dataset[{i}]"
    same(image, images[i][..., None] / np.float32(255), of=of, mistakes=mistakes, dtype="float32", atol=1e-6)
    same(label, labels[i], of=f"the label of dataset[{i}]")


@hint("A slice, or an array of n positions: shapes (n, 28, 28, 1) and (n,).")
@pytest.mark.parametrize("index", [slice(0, 3), slice(990, 2000), np.array([5, 2, 2]), np.array([9])], ids=str)
def test_several_samples(index):
    images, labels = raw()
    found, truth = data.MNISTDataset(*FILES)[index]
    expected = images[index][..., None] / np.float32(255)
    mistakes = {"they are flat": expected.reshape(len(expected), -1), "the last axis is missing": expected[..., 0]}
    same(found, expected, of=f"the images of dataset[{index}]", mistakes=mistakes, dtype="float32", atol=1e-6)
    same(truth, labels[index], of=f"the labels of dataset[{index}]")


@hint("Transforms see one image at a time, (28, 28, 1), in order of the batch: each has a draw of its own.")
@pytest.mark.parametrize("index", [4, slice(0, 5), np.array([3, 1, 2])], ids=str)
def test_transforms_of_a_dataset(index):
    images, _ = raw()
    shapes = []

    def look(image):
        shapes.append(list(image.shape))
        return image

    dataset = data.MNISTDataset(*FILES, transforms=[data.RandomFlipHorizontal(), data.RandomCrop(), look])
    draw = drawing(8)
    found, _ = dataset[index]
    expected = []
    for image in images[index].reshape(-1, 28, 28, 1) / np.float32(255):
        image = image[:, ::-1] if draw.rand() < 0.5 else image
        expected.append(crop(image, 3, *draw.randint(-3, 4, size=2)))
    single = isinstance(index, int)
    same(found, expected[0] if single else np.stack(expected), of=f"dataset[{index}], flipped and cropped", atol=1e-6)
    same(shapes, [[28, 28, 1]] * len(expected), of="the shapes that transforms get")
