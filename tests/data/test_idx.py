"""Reading IDX files: what a right file gives, and that no wrong one does more than raise ValueError."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from needle.data import idx

IMAGES = np.random.RandomState(0).randint(0, 256, (5, 28, 28)).astype(np.uint8)
LABELS = np.array([5, 0, 4, 1, 9], np.uint8)
IMAGE_FILE = struct.pack(">4I", 2051, 5, 28, 28) + IMAGES.tobytes()
LABEL_FILE = struct.pack(">2I", 2049, 5) + LABELS.tobytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some-file-idx"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_reads_images_and_labels_whether_gzipped_or_not(path: Path, pack) -> None:
    path.write_bytes(pack(IMAGE_FILE))
    np.testing.assert_array_equal(idx.read_images(path), IMAGES)
    path.write_bytes(pack(LABEL_FILE))
    labels = idx.read_labels(str(path))
    np.testing.assert_array_equal(labels, LABELS)
    assert labels.dtype == np.uint8


def test_reads_a_gzip_file_of_several_members(path: Path) -> None:
    path.write_bytes(gzip.compress(IMAGE_FILE[:1000]) + gzip.compress(IMAGE_FILE[1000:]))
    np.testing.assert_array_equal(idx.read_images(path), IMAGES)


def test_an_empty_set_is_read_as_one(path: Path) -> None:
    path.write_bytes(struct.pack(">4I", 2051, 0, 28, 28))
    assert idx.read_images(path).shape == (0, 28, 28)


def test_write_makes_files_that_read_back_and_are_equal_for_equal_arrays(tmp_path: Path) -> None:
    for name in ("first", "second"):
        idx.write(tmp_path / name, IMAGES)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    np.testing.assert_array_equal(idx.read_images(tmp_path / "first"), IMAGES)
    idx.write(tmp_path / "labels", LABELS)
    np.testing.assert_array_equal(idx.read_labels(tmp_path / "labels"), LABELS)
    with pytest.raises(TypeError, match="uint8, not float64"):
        idx.write(tmp_path / "floats", np.ones(3))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "ends within the header"),
        (IMAGE_FILE[:15], "ends within the header"),
        (IMAGE_FILE[:-1], r"announces 5 images, 3920 bytes; the file holds only 3919"),
        (IMAGE_FILE + b"\0", "announces 5 images, 3920 bytes; the file holds more"),
        (LABEL_FILE, "magic number is 2049; a file of IDX images starts with 2051"),
        (b"<!DOCTYPE html><title>404</title>", "magic number"),
        (struct.pack(">4I", 2051, 5, 14, 14) + bytes(5 * 14 * 14), r"shape \(14, 14\); expected images of \(28, 28\)"),
        (struct.pack(">4I", 2051, 2**32 - 1, 28, 28) + bytes(784), "announces 4294967295 images"),
        (gzip.compress(IMAGE_FILE, mtime=0)[:-200], "gzip stream is truncated or damaged"),
        (gzip.compress(IMAGE_FILE, mtime=0)[:5], "gzip stream is truncated or damaged"),
        (gzip.compress(IMAGE_FILE, mtime=0) + b"trailing", "gzip stream is truncated or damaged"),
        (gzip.compress(IMAGE_FILE, mtime=0)[:-8] + bytes(8), "gzip stream is truncated or damaged"),
        (gzip.compress(IMAGE_FILE + b"\0", mtime=0), "the file holds more"),
        (b"\x1f\x8bnot gzip at all", "gzip stream is truncated or damaged"),
    ],
)
def test_a_wrong_file_of_images_is_a_value_error_that_names_the_file(path: Path, content: bytes, says: str) -> None:
    path.write_bytes(content)
    with pytest.raises(ValueError, match=says) as error:
        idx.read_images(path)
    assert str(path) in str(error.value)


def test_labels_other_than_digits_are_refused(path: Path) -> None:
    path.write_bytes(struct.pack(">2I", 2049, 3) + bytes([9, 10, 200]))
    with pytest.raises(ValueError, match="label number 1 is 10; labels are the digits 0 to 9"):
        idx.read_labels(path)


def test_labels_that_do_not_match_the_images_are_refused(tmp_path: Path) -> None:
    idx.write(tmp_path / "images", IMAGES)
    idx.write(tmp_path / "labels", LABELS[:4])
    with pytest.raises(ValueError, match=r"labels holds 4 labels, but .*images holds 5 images"):
        idx.read_pair(tmp_path / "images", tmp_path / "labels")


def test_a_missing_file_is_a_file_not_found_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="some-file-idx"):
        idx.read_images(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_memory_grows_with_the_file_and_not_with_what_its_header_says(path: Path, pack) -> None:
    path.write_bytes(pack(struct.pack(">4I", 2051, 2**32 - 1, 28, 28) + bytes(784)))
    tracemalloc.start()
    with pytest.raises(ValueError, match="4294967295"):
        idx.read_images(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_a_small_gzip_file_that_expands_without_end_is_left_at_the_announced_size(path: Path) -> None:
    path.write_bytes(gzip.compress(IMAGE_FILE + bytes(64 << 20), compresslevel=1))
    tracemalloc.start()
    with pytest.raises(ValueError, match="the file holds more"):
        idx.read_images(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A right file with bytes changed, cut off, put in or repeated, before or after it is gzipped."""
    content = draw(st.sampled_from([IMAGE_FILE, LABEL_FILE]))
    for stage in range(2):
        for _ in range(draw(st.integers(0, 3))):
            start = draw(st.integers(0, min(len(content), draw(st.sampled_from([20, len(content)])))))
            stop = draw(st.integers(start, len(content)))
            content = content[:start] + draw(st.binary(max_size=8)) + content[draw(st.sampled_from([start, stop])) :]
        if stage == 0 and draw(st.booleans()):
            content = gzip.compress(content, compresslevel=1, mtime=0)
    return content


@settings(deadline=None, max_examples=200)
@given(content=damaged_files() | st.binary(max_size=64))
def test_fuzzed_files_give_what_their_bytes_say_or_a_value_error(tmp_path_factory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed-idx"
    path.write_bytes(content)
    plain = content
    if content[:2] == b"\x1f\x8b":
        try:
            plain = gzip.decompress(content)
        except Exception:
            plain = b""
    for read, header in ((idx.read_images, 16), (idx.read_labels, 8)):
        try:
            array = read(path)
        except ValueError as error:
            assert str(path) in str(error)
        else:
            assert array.tobytes() == plain[header:]
            assert len(array) == int.from_bytes(plain[4:8], "big")
