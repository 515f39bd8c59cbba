"""Checkpoints: whole or not there, equal for equal contents, and never a surprise when damaged."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import needle as ndl
from needle import checkpoints

safetensors = pytest.importorskip("safetensors.numpy")

ARRAYS = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "reversed": np.arange(5, dtype=np.int64)[::-1],
    "scalar": np.array(3, np.int32),
    "empty": np.zeros((0, 4), np.uint8),
    "flags": np.array([True, False]),
}
METADATA = {"epoch": 3, "loss": 0.1 + 0.2, "name": "é", "history": [{"a": None}], "zz": 1, "aa": 2}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.safetensors"


def test_arrays_and_metadata_come_back_as_they_were(path: Path) -> None:
    checkpoints.save(path, ARRAYS, METADATA)
    tensors, metadata = checkpoints.load(path)
    assert metadata == METADATA
    assert list(metadata) == list(METADATA)
    assert set(tensors) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array, strict=True)


def test_the_file_is_a_safetensors_file_that_others_read(path: Path) -> None:
    checkpoints.save(path, ARRAYS)
    for name, array in safetensors.load_file(path).items():
        np.testing.assert_array_equal(array, ARRAYS[name], strict=True)


def test_files_of_others_are_read_with_their_metadata(path: Path) -> None:
    safetensors.save_file({"a": np.ones(2)}, path, metadata={"format": "np"})
    tensors, metadata = checkpoints.load(path)
    np.testing.assert_array_equal(tensors["a"], [1, 1])
    assert metadata == {"format": "np"}
    safetensors.save_file({"a": np.ones(2)}, path)
    assert checkpoints.load(path)[1] == {}


def test_tensors_are_saved_by_value(path: Path) -> None:
    checkpoints.save(path, {"t": ndl.Tensor(np.array([[1, 2], [3, 4]], np.float32)).transpose()})
    np.testing.assert_array_equal(checkpoints.load(path)[0]["t"], np.array([[1, 3], [2, 4]], np.float32))


def test_equal_contents_give_equal_files(path: Path, tmp_path: Path) -> None:
    written = set()
    for _ in range(8):
        checkpoints.save(path, dict(ARRAYS), dict(METADATA))
        written.add(path.read_bytes())
    assert len(written) == 1
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_failed_save_leaves_the_old_file_and_nothing_else(path: Path, monkeypatch, failing: str, error) -> None:
    checkpoints.save(path, {"old": np.ones(3)})

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(type(error)):
        checkpoints.save(path, {"new": np.zeros(3)})
    assert set(checkpoints.load(path)[0]) == {"old"}
    assert os.listdir(path.parent) == [path.name]


def test_the_file_has_the_permissions_of_any_new_file(path: Path, tmp_path: Path) -> None:
    checkpoints.save(path, ARRAYS)
    (tmp_path / "other").write_text("")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*some\.safetensors"):
        checkpoints.load(path)


@pytest.mark.parametrize("length", [0, 5, 8, 60, -1])
def test_a_truncated_file_is_a_value_error_that_names_it(path: Path, length: int) -> None:
    checkpoints.save(path, ARRAYS, METADATA)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"some\.safetensors is damaged or not a safetensors file"):
        checkpoints.load(path)


@settings(deadline=None, max_examples=80)
@given(data=st.data())
def test_a_damaged_header_gives_arrays_or_a_value_error(tmp_path_factory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.safetensors"
    checkpoints.save(path, ARRAYS, METADATA)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        tensors, metadata = checkpoints.load(path)
    except ValueError as error:
        assert str(path) in str(error)
    else:
        assert all(isinstance(array, np.ndarray) for array in tensors.values())
        assert isinstance(metadata, dict)


def test_without_safetensors_the_message_names_the_extra(path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"pip install 'needle-dl\[apps\]'"):
        checkpoints.save(path, ARRAYS)
