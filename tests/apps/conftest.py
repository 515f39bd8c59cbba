"""Fixtures of these tests. The programs in apps/ are imported as course code does: with that folder on the path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "apps"))

import mnist_mlp
from needle.data import MiniMNIST, idx
from needle.data.mnist import FILES
from tests.apps.mnist_runs import QUICK


@pytest.fixture(scope="session")
def small_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four files under MNIST's names: 430 images to train on and 200 to test on."""
    folder = tmp_path_factory.mktemp("small-mnist")
    for train, count in ((True, 430), (False, 200)):
        dataset = MiniMNIST(train=train)
        for name, array in zip(FILES[train], (dataset.images, dataset.labels)):
            idx.write(folder / f"{name}.gz", array[:count])
    return folder


@pytest.fixture
def run(small_mnist: Path, tmp_path: Path):
    """Run the program on the small data set, into a folder of its own; give the folder."""

    def run_into(name: str, *options: str, status: int = 0) -> Path:
        arguments = ["--data", str(small_mnist), "--out", str(tmp_path / name), *QUICK, *options]
        assert mnist_mlp.main(arguments) == status
        return tmp_path / name

    return run_into
