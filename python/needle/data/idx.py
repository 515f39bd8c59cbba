"""The IDX format of MNIST's files: a big-endian header (magic number, extents), then one unsigned byte per element.

The magic number's last two bytes name the element type (8: unsigned byte) and the number of axes, so that 2051 heads a
file of images (count, rows, columns) and 2049 one of labels (count). Files are read whether gzipped or not. A header's
count is a claim: memory grows with the bytes that are really there, never with what the header says.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGE_SHAPE = (28, 28)
NUM_CLASSES = 10

_IMAGES_MAGIC = 2051
_LABELS_MAGIC = 2049
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20

PathLike = str | os.PathLike[str]


def read_images(path: PathLike) -> NDArray[np.uint8]:
    """Read an IDX file of images.

    Returns
    -------
    numpy.ndarray
        uint8, shape (n, 28, 28).

    Raises
    ------
    ValueError
        If the file is not an IDX file of 28 x 28 images, or is shorter or longer than its header says.
    OSError
        If the file cannot be opened.
    """
    return _read(path, _IMAGES_MAGIC, IMAGE_SHAPE, "images")


def read_labels(path: PathLike) -> NDArray[np.uint8]:
    """Read an IDX file of labels, the digits 0 to 9.

    Returns
    -------
    numpy.ndarray
        uint8, shape (n,).

    Raises
    ------
    ValueError
        If the file is not an IDX file of digits, or is shorter or longer than its header says.
    OSError
        If the file cannot be opened.
    """
    labels = _read(path, _LABELS_MAGIC, (), "labels")
    outside = np.flatnonzero(labels >= NUM_CLASSES)
    if outside.size:
        where = outside[0]
        raise ValueError(f"{path}: label number {where} is {labels[where]}; labels are the digits 0 to 9")
    return labels


def read_pair(image_path: PathLike, label_path: PathLike) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read images and the labels that belong to them: `read_images`, `read_labels`, and one label for each image."""
    images, labels = read_images(image_path), read_labels(label_path)
    if len(images) != len(labels):
        raise ValueError(
            f"{label_path} holds {len(labels)} labels, but {image_path} holds {len(images)} images; "
            "the two files must belong together, one label for each image"
        )
    return images, labels


def write(path: PathLike, array: NDArray[np.uint8]) -> None:
    """Write a uint8 array as a gzipped IDX file. No name and no time go into it: equal arrays give equal files."""
    if array.dtype != np.uint8:
        raise TypeError(f"write: an IDX file here holds uint8, not {array.dtype}")
    header = struct.pack(f">{1 + array.ndim}I", 0x0800 | array.ndim, *array.shape)
    with open(path, "wb") as file, gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as gzipped:
        gzipped.write(header + array.tobytes())


def _read(path: PathLike, magic: int, item_shape: tuple[int, ...], content: str) -> NDArray[np.uint8]:
    """Read a file whose header must be (magic, n, *item_shape) and whose body must be n items, no more and no less."""
    try:
        with _open(path) as file:
            n = _read_header(file, path, magic, item_shape, content)
            expected = n * math.prod(item_shape)
            body = bytearray()
            # One byte more than expected is asked for: it shows trailing bytes, and brings gzip to verify its checksum.
            while len(body) <= expected and (chunk := file.read(min(_CHUNK, expected + 1 - len(body)))):
                body += chunk
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path}: the gzip stream is truncated or damaged ({error}); expected IDX {content}"
        ) from error
    if len(body) != expected:
        found = f"only {len(body)}" if len(body) < expected else "more"
        raise ValueError(f"{path}: the header announces {n} {content}, {expected} bytes; the file holds {found}")
    return np.frombuffer(body, np.uint8).reshape(n, *item_shape)


def _open(path: PathLike) -> io.BufferedIOBase:
    """Open `path` for reading bytes, through gzip if its first two bytes are gzip's."""
    with open(path, "rb") as file:
        is_gzip = file.read(2) == _GZIP_MAGIC
    return gzip.open(path) if is_gzip else open(path, "rb")


def _read_header(file: io.BufferedIOBase, path: PathLike, magic: int, item_shape: tuple[int, ...], content: str) -> int:
    """Check the header against (magic, n, *item_shape); return n."""
    size = 4 * (2 + len(item_shape))
    header = file.read(size)
    found_magic = int.from_bytes(header[:4], "big")
    if len(header) >= 4 and found_magic != magic:
        raise ValueError(f"{path}: the magic number is {found_magic}; a file of IDX {content} starts with {magic}")
    if len(header) < size:
        raise ValueError(f"{path}: the file ends within the header; IDX {content} have a header of {size} bytes")
    n, *found_shape = struct.unpack(f">{1 + len(item_shape)}I", header[4:])
    if tuple(found_shape) != item_shape:
        raise ValueError(
            f"{path}: the header announces items of shape {tuple(found_shape)}; expected {content} of {item_shape}"
        )
    return int(n)
