"""Reading MNIST's files, with care."""

# ruff: noqa: N806

from __future__ import annotations

import gzip

import numpy as np
import pytest

from hw.hw0.simple_ml import parse_mnist, read_idx
from hw.hw0.tests.checks import gzipped, idx
from hw.testing import hint, raises, same


@hint("Any number of axes, and of images of any size; also extents above 255 and 65535.")
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 1, 2, 3), (70000,), (2, 400)])
def test_shapes(tmp_path, shape):
    elements = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    found = read_idx(gzipped(tmp_path / "some.gz", idx(shape, elements.tobytes())))
    same(found, elements, of=f"a file of shape {shape}", dtype="uint8")


@hint("Images need not be square, nor 28 x 28: rows and columns stand in the file.")
@pytest.mark.parametrize(("m", "rows", "columns"), [(3, 4, 2), (4, 2, 7), (1, 28, 28)])
def test_images_of_other_sizes(tmp_path, m, rows, columns):
    pixels = np.random.default_rng(2).integers(0, 256, (m, rows, columns), dtype=np.uint8)
    truth = (np.arange(m) * 100 % 256).astype(np.uint8)
    images = gzipped(tmp_path / "images.gz", idx(pixels.shape, pixels.tobytes()))
    X, y = parse_mnist(str(images), str(gzipped(tmp_path / "labels.gz", idx((m,), truth.tobytes()))))
    expected = [[int(pixel) / 255 for row in image for pixel in row] for image in pixels]
    same(X, np.array(expected), of="X", dtype="float32", rtol=1e-6)
    same(y, truth, of="y", dtype="uint8")


@hint("Too few, too many, another kind of elements, a header that ends early: ValueError.")
@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("one byte too many", idx((4,), bytes(5))),
        ("no elements where some are announced", idx((4, 2), b"")),
        ("shorts (the third byte is 11)", idx((2,), bytes(2), kind=11)),
        ("elements of type 7", idx((3,), bytes(3), kind=7)),
        ("a second byte that is not 0", b"\x00\x01" + idx((3,), bytes(3))[2:]),
        ("three bytes only", b"\x00\x00\x08"),
        ("an extent cut off", idx((2, 3), b"")[:-1]),
        ("an enormous extent", idx((2**32 - 1, 2**32 - 1), bytes(10))),
    ],
)
def test_more_that_can_be_wrong(tmp_path, what, content):
    path = gzipped(tmp_path / "wrong.gz", content)
    with raises(ValueError, of=f"read_idx of a file with {what}"):
        read_idx(path)


@hint("A gzip file that is cut off just before its end gives an EOFError, which has to become a ValueError.")
@pytest.mark.parametrize("missing", [1, 8, 30])
def test_the_end_is_missing(tmp_path, missing):
    whole = gzip.compress(idx((10, 10), np.random.default_rng(3).bytes(100)), mtime=0)
    path = tmp_path / "short.gz"
    path.write_bytes(whole[:-missing])
    with raises(ValueError, of=f"read_idx of a file whose last {missing} bytes are missing"):
        read_idx(path)


@hint("A file that is not there is no damaged file: open's own FileNotFoundError is right.")
def test_no_file(tmp_path):
    with raises(FileNotFoundError, of="read_idx of a file that is not there"):
        read_idx(tmp_path / "nothing.gz")


@hint("Both files are checked: the labels' as well as the images'.")
@pytest.mark.parametrize(
    ("images", "labels"), [((2, 3, 3), (1,)), ((2, 9), (2,)), ((2, 3, 3), (1, 2)), ((1, 2, 3, 3), (1,))]
)
def test_pairs_that_do_not_fit(tmp_path, images, labels):
    first = gzipped(tmp_path / "images.gz", idx(images, bytes(int(np.prod(images)))))
    second = gzipped(tmp_path / "labels.gz", idx(labels, bytes(int(np.prod(labels)))))
    with raises(ValueError, of=f"parse_mnist, images of shape {images} and labels of shape {labels}"):
        parse_mnist(first, second)
