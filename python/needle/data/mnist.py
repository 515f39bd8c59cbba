"""The handwritten digits: MNIST from wherever its four files are, and MiniMNIST, which comes with the package."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .dataset import Dataset, Index

if TYPE_CHECKING:
    from pathlib import Path

    from . import idx

#: The files, without their ``.gz``: images and labels, of the training set (True) and of the test set (False).
FILES = {
    True: ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    False: ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


class MNISTDataset(Dataset):
    """Images and labels from two IDX files, gzipped or not.

    ``dataset[i]`` is an image, float32 in [0, 1] of shape (28, 28, 1), and its label; with a slice or an array of n
    positions, arrays of shapes (n, 28, 28, 1) and (n,). Transforms are applied image by image.

    Parameters
    ----------
    image_filename, label_filename : path
        The two files.
    transforms : sequence of callable, optional
        Applied to each image, in order, whenever it is asked for.

    Raises
    ------
    ValueError
        If a file is damaged or not of the right kind, or if the labels do not match the images.
    """

    takes_index_arrays = True

    def __init__(
        self,
        image_filename: idx.PathLike,
        label_filename: idx.PathLike,
        transforms: Sequence[Callable[[Any], Any]] | None = None,
    ) -> None:
        from . import idx  # now, when files are read: it needs gzip, which takes long to import

        super().__init__(transforms)
        # The images stay bytes: a quarter of the memory, and converting a batch costs little beside training on it.
        self.images, self.labels = idx.read_pair(image_filename, label_filename)

    def __getitem__(self, index: Index) -> tuple[Any, Any]:
        images = np.divide(self.images[index][..., None], np.float32(255), dtype=np.float32)
        if self.transforms and images.ndim == 3:
            images = self.apply_transforms(images)
        elif self.transforms and len(images):
            images = np.stack([self.apply_transforms(image) for image in images])
        return images, self.labels[index]

    def __len__(self) -> int:
        return len(self.labels)


class MNIST(MNISTDataset):
    """MNIST: 60,000 images of handwritten digits to train on and 10,000 to test on.

    The four files are taken from the first of these folders that holds them, gzipped or not: `root`, then the
    environment variable ``NEEDLE_DATA`` (each itself, or the folder ``mnist`` in it), then the user's cache folder.
    Otherwise they are downloaded, and checked, into `root` or the cache folder. Files that are found are read as they
    are: no checksum is asked of them.

    Parameters
    ----------
    root : path, optional
        Where to look first.
    train : bool
        The training set, or the test set.
    download : bool
        Whether the files may be downloaded.
    transforms : sequence of callable, optional
        As for `MNISTDataset`.

    Raises
    ------
    FileNotFoundError
        If the files are in none of the folders and `download` is False.
    OSError
        If they cannot be downloaded. The message says how to supply them by hand.
    ValueError
        If a file is damaged.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner. Gradient-based learning applied to document recognition. Proceedings of
    the IEEE 86(11), 1998.
    """

    def __init__(
        self,
        root: idx.PathLike | None = None,
        train: bool = True,
        download: bool = True,
        *,
        transforms: Sequence[Callable[[Any], Any]] | None = None,
    ) -> None:
        folder = find(root)
        if folder is None and download:
            from .download import download_mnist

            folder = download_mnist(root)
        if folder is None:
            raise FileNotFoundError(_not_found(root))
        images, labels = FILES[train]
        super().__init__(file_in(folder, images), file_in(folder, labels), transforms)


class MiniMNIST(MNISTDataset):
    """A part of MNIST that comes with the package: 9,000 images to train on and 1,000, 100 of each digit, to test on.

    All are from MNIST's training set; ``mini_mnist/README.md`` names source and licence.
    """

    def __init__(self, train: bool = True, transforms: Sequence[Callable[[Any], Any]] | None = None) -> None:
        folder = as_path(__file__).with_name("mini_mnist")
        images, labels = FILES[train]
        super().__init__(folder / f"{images}.gz", folder / f"{labels}.gz", transforms)


def find(root: idx.PathLike | None = None) -> Path | None:
    """Find the folder that holds MNIST, in the order that `MNIST` describes; None if there is none."""
    return next(filter(None, map(locate, _search_path(root))), None)


def locate(folder: Path) -> Path | None:
    """Give `folder`, or the folder ``mnist`` in it, if it holds all four files."""
    return next((candidate for candidate in (folder, folder / "mnist") if not missing_files(candidate)), None)


def file_in(folder: Path, name: str) -> Path:
    """Give the path of the file `name` in `folder`: the gzipped one, unless there is only the plain one."""
    plain, gzipped = folder / name, folder / f"{name}.gz"
    return plain if plain.is_file() and not gzipped.is_file() else gzipped


def missing_files(folder: Path) -> list[str]:
    """List those of the four files that `folder` does not hold, by their gzipped names."""
    return [f"{name}.gz" for pair in FILES.values() for name in pair if not file_in(folder, name).is_file()]


def cache_folder() -> Path:
    """Give this user's folder for downloads: needle/mnist in ``$XDG_CACHE_HOME`` or the system's usual place."""
    home = as_path(os.path.expanduser("~"))
    if sys.platform == "darwin":
        caches = home / "Library" / "Caches"
    elif sys.platform == "win32":
        caches = as_path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    else:
        caches = as_path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return caches / "needle" / "mnist"


def as_path(path: idx.PathLike) -> Path:
    """Give `path` as a `Path`. It is asked for when files are: to import pathlib takes a tenth of importing Needle."""
    from pathlib import Path

    return Path(path)


def by_hand(folder: Path) -> str:
    """Say how a user supplies the files without a download."""
    names = ", ".join(f"{name}.gz" for pair in FILES.values() for name in pair)
    return (
        f"To supply MNIST by hand, put {names} into {folder}, or point NEEDLE_DATA at the folder that holds them. "
        "needle.data.MiniMNIST, a part of MNIST, needs no download."
    )


def _search_path(root: idx.PathLike | None) -> list[Path]:
    named = (root, os.environ.get("NEEDLE_DATA"))
    return [as_path(folder).expanduser() for folder in named if folder] + [cache_folder()]


def _not_found(root: idx.PathLike | None) -> str:
    looked = "; ".join(f"{folder} lacks {', '.join(missing_files(folder))}" for folder in _search_path(root))
    return f"MNIST was not found: {looked}. {by_hand(as_path(root) if root else cache_folder())}"
