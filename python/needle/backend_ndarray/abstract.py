"""What the graph layer asks of Needle's arrays: making them, inferring on them, noticing that they changed."""

from __future__ import annotations

from typing import Any

from .device import Device, meta
from .ndarray import NDArray, new


def as_array(data: Any, device: Device | None = None, dtype: str | None = None) -> NDArray:
    """`data` as a new array, float32 unless another dtype is asked for."""
    return NDArray(data, device=device, dtype="float32" if dtype is None else dtype)


def abstract_array(shape: tuple[int, ...], dtype: str) -> NDArray:
    """An array with a shape and a dtype and no elements: what `Op.infer` computes on."""
    return new(shape, dtype, meta())


def settled(data: Any) -> Any:
    """What a computation gave, as arrays, which it is."""
    return data


def stamp(array: NDArray) -> object:
    """What changes when an array is replaced by another or written in place: the version of its buffer."""
    return array._view.version
