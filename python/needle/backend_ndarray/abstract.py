"""What the graph layer asks of Needle's arrays: making them, inferring on them, noticing that they changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .device import Device, meta
from .ndarray import NDArray, new


def as_array(data: Any, device: Device | None = None, dtype: str | None = None) -> NDArray:
    """`data` as a new array, float32 unless another dtype is asked for."""
    return NDArray(data, device=device, dtype="float32" if dtype is None else dtype)


def abstract_array(shape: tuple[int, ...], dtype: str) -> NDArray:
    """An array with a shape and a dtype and no elements: what `Op.infer` computes on."""
    return new(shape, dtype, meta())


def compute_abstractly(compute: Callable[..., Any], arrays: list[NDArray]) -> Any:
    """What `compute` gives for abstract arrays: abstract arrays."""
    return compute(*arrays)


def on_host(function: Callable[..., Any], *arrays: NDArray) -> Any:
    """What a function of NumPy arrays gives for the elements of `arrays`, on their device again.

    For what no device computes. A compiled function cannot repeat it, and says so.
    """
    result = function(*[a.numpy() for a in arrays])
    device = arrays[0].device
    if isinstance(result, tuple):
        return tuple(NDArray(x, device=device, dtype=x.dtype) for x in result)
    return NDArray(result, device=device, dtype=result.dtype)


def settled(data: Any) -> Any:
    """What a computation gave, as arrays, which it is."""
    return data


def stamp(data: Any) -> object:
    """What changes when data is replaced or written in place; None for no data."""
    if type(data) is NDArray:
        return data._view.stamp
    if isinstance(data, tuple):
        return tuple(map(stamp, data))
    return None if data is None else data._view.stamp


def stamps(data: list[Any]) -> list[object]:
    """The stamp of each."""
    found = []
    try:
        for array in data:  # of two or three, for which a comprehension takes longer
            found.append(array._view.stamp)
        return found
    except AttributeError:  # a tuple of arrays, or a value that is not computed yet
        return list(map(stamp, data))
