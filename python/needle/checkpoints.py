"""Checkpoints: named arrays in a ``safetensors`` file that is either whole or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_METADATA_KEY = "needle"


def save(path: str | os.PathLike[str], tensors: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> None:
    """Write named arrays into the safetensors file `path`.

    The file is written under another name, brought to the disk, and renamed: whoever looks sees the old file or the
    new one, whole, even if the process or the machine dies in between. Equal contents, in the same order, give equal
    files.

    Parameters
    ----------
    path : path
        The file. Its folder must exist.
    tensors : mapping of str to Tensor, NDArray or numpy.ndarray
        For instance ``model.state_dict()``.
    metadata : mapping, optional
        Anything that JSON can hold. It is stored as one string under the key ``"needle"`` of the file's metadata.

    Raises
    ------
    OSError
        If the file cannot be written; an older file of that name is then still there, untouched.
    """
    arrays = {name: _to_numpy(value) for name, value in tensors.items()}
    # One key only: safetensors writes several in a random order.
    header = {_METADATA_KEY: json.dumps(metadata)} if metadata is not None else None
    write_atomically(path, _import_safetensors().save(arrays, metadata=header))


def load(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    """Read a safetensors file.

    Returns
    -------
    tensors : dict of str to numpy.ndarray
        The arrays by name, as ``model.load_state_dict`` takes them.
    metadata : dict
        What `save` was given; for a file that something else wrote, that file's metadata, strings by name.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or not a safetensors file.
    """
    _import_safetensors()
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)
        metadata = json.loads(header[_METADATA_KEY]) if _METADATA_KEY in header else header
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is damaged or not a safetensors file: {error}") from error
    return tensors, metadata


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Give the file `path` this content at one stroke: write a temporary file beside it, sync it to disk, rename it."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _to_numpy(value: Any) -> np.ndarray[Any, Any]:
    """Give a Tensor, NDArray or NumPy array as a compact NumPy array."""
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value, order="C")


def _import_safetensors() -> Any:
    """Import `safetensors`, which only checkpoints need."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError("checkpoints need safetensors, of the extra 'apps': pip install 'needle-dl[apps]'") from error
    return safetensors.numpy
