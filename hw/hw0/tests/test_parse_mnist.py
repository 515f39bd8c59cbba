"""Reading MNIST's files."""

# ruff: noqa: N806

from __future__ import annotations

import gzip

import numpy as np
import pytest

from hw.hw0.simple_ml import parse_mnist, read_idx
from hw.hw0.tests.checks import MINI_MNIST, gzipped, idx
from hw.testing import hint, raises, same


@hint("A byte d, then d extents of 4 bytes, the most significant first; behind them the elements, row after row.")
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4), (300,)])
def test_an_array_of_bytes(tmp_path, shape):
    elements = bytes(i * 7 % 256 for i in range(int(np.prod(shape))))
    found = read_idx(gzipped(tmp_path / "some.gz", idx(shape, elements)))
    expected = np.array(list(elements), dtype=np.uint8).reshape(shape)
    plausible = {"the elements are taken column by column": expected.reshape(shape, order="F")}
    same(found, expected, of=f"a file of shape {shape}", dtype="uint8", mistakes=plausible if len(shape) > 1 else None)


@hint("Images as rows, in float32, each byte divided by 255; labels as they are.")
def test_two_small_images(tmp_path):
    pixels = [0, 51, 102, 153, 204, 255] * 2
    images = gzipped(tmp_path / "images.gz", idx((2, 2, 3), bytes(pixels)))
    X, y = parse_mnist(images, gzipped(tmp_path / "labels.gz", idx((2,), bytes([7, 2]))))
    expected = np.array([[0, 0.2, 0.4, 0.6, 0.8, 1.0]] * 2)
    mistakes = {"the pixels are not scaled": expected * 255, "the pixels are divided by 256": expected * 255 / 256}
    same(X, expected, of="X", given={"the pixels": np.array(pixels)}, dtype="float32", mistakes=mistakes)
    same(y, [7, 2], of="y", dtype="uint8")


@hint("A file that cannot be right is a ValueError: wrong beginning, header cut off, elements too few or too many.")
@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("an element is missing", idx((2, 3), bytes(5))),
        ("there is an element too many", idx((2, 3), bytes(7))),
        ("the elements are floats, not bytes (the third byte is 13)", idx((2,), bytes(8), kind=13)),
        ("the file begins with 1, 0, 8", b"\x01" + idx((3,), bytes(3))[1:]),
        ("the file ends within its header", idx((2, 3), b"")[:9]),
        ("the file is empty", b""),
    ],
)
def test_what_is_wrong_in_a_file(tmp_path, what, content):
    path = gzipped(tmp_path / "wrong.gz", content)
    with raises(ValueError, of=f"read_idx, where {what}"):
        read_idx(path)


@hint("gzip tells of damage by one of the three GZIP_ERRORS: catch them, and raise a ValueError.")
@pytest.mark.parametrize("what", ["not gzipped", "cut off", "damaged in the middle"])
def test_what_is_wrong_with_gzip(tmp_path, what):
    whole = gzip.compress(idx((20, 20), np.random.default_rng(0).bytes(400)), mtime=0)
    contents = {
        "not gzipped": idx((2, 3), bytes(6)),
        "cut off": whole[: len(whole) // 2],
        "damaged in the middle": whole[:10] + b"\xff" * 20 + whole[30:],
    }
    path = tmp_path / "wrong.gz"
    path.write_bytes(contents[what])
    with raises(ValueError, of=f"read_idx of a file that is {what}"):
        read_idx(path)


@hint("There is one label for each image; images have three axes, labels one.")
@pytest.mark.parametrize(
    ("images", "labels"), [((2, 2, 2), (3,)), ((3, 2, 2), (2,)), ((2, 4), (2,)), ((2, 2, 2), (2, 1))]
)
def test_files_that_do_not_belong_together(tmp_path, images, labels):
    paths = [gzipped(tmp_path / f"{len(s)}.gz", idx(s, bytes(int(np.prod(s))))) for s in (images, labels)]
    if len(images) == len(labels):
        paths[1] = gzipped(tmp_path / "other.gz", idx(labels, bytes(int(np.prod(labels)))))
    with raises(ValueError, of=f"parse_mnist, images of shape {images} and labels of shape {labels}"):
        parse_mnist(*paths)


@hint("MiniMNIST has a thousand test images of 28 x 28 pixels, and 100 of each digit.")
def test_mini_mnist():
    X, y = parse_mnist(MINI_MNIST / "t10k-images-idx3-ubyte.gz", MINI_MNIST / "t10k-labels-idx1-ubyte.gz")
    same(list(X.shape), [1000, 784], of="the shape of X")
    same([X.min(), X.max()], [0.0, 1.0], of="the smallest and the largest pixel", dtype="float32")
    same(np.bincount(y, minlength=10), [100] * 10, of="how often each digit occurs")
