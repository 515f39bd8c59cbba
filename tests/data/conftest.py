"""Fixtures of these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

MINI_MNIST = Path(__file__).parents[2] / "python" / "needle" / "data" / "mini_mnist"


@pytest.fixture
def mini_folder() -> Path:
    """The folder with MiniMNIST's four files."""
    return MINI_MNIST


@pytest.fixture
def no_mnist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No MNIST anywhere: NEEDLE_DATA is unset and the cache folder, which is given, does not exist."""
    monkeypatch.delenv("NEEDLE_DATA", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path / "caches" / "needle" / "mnist"
