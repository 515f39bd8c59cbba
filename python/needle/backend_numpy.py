"""The ``np`` backend: plain NumPy arrays under the graph, for the first assignments and as an oracle."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np


class Device:
    """A place where arrays live; under ``np`` there is one, the host. Devices are equal when their names are."""

    def __init__(self, name: str, available: bool = True) -> None:
        self.name = name
        self._available = available

    def __repr__(self) -> str:
        return f"{self.name}()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def enabled(self) -> bool:
        """Whether arrays can be made here."""
        return self._available

    def rand(self, *shape: int, dtype: str = "float32") -> np.ndarray:
        """Uniform draws from [0, 1), by ``np.random.rand``."""
        return np.asarray(np.random.rand(*shape)).astype(dtype)

    def randn(self, *shape: int, dtype: str = "float32") -> np.ndarray:
        """Standard normal draws, by ``np.random.randn``."""
        return np.asarray(np.random.randn(*shape)).astype(dtype)

    def one_hot(self, n: int, i: Any, dtype: str = "float32") -> np.ndarray:
        """Rows of the identity: shape ``(*i.shape, n)``, 1 at each index of `i`."""
        given = np.asarray(i)
        with np.errstate(invalid="ignore"):  # NaN becomes some integer, which differs from it
            indices = given.astype(np.int64)
        wrong = (indices < 0) | (indices >= n) | (indices != given)
        if wrong.any():
            raise IndexError(f"one_hot: index {given[wrong].flat[0]} is not one of {n} classes")
        return np.eye(n, dtype=dtype)[indices]

    def empty(self, shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
        """An array whose elements are not set yet."""
        return np.empty(shape, dtype=dtype)

    def full(self, shape: tuple[int, ...], fill_value: float, dtype: str = "float32") -> np.ndarray:
        """An array of one number."""
        return np.full(shape, fill_value, dtype=dtype)


def cpu() -> Device:
    """The host."""
    return Device("cpu")


def cpu_numpy() -> Device:
    """The host as well: under ``np`` every array is NumPy's."""
    return Device("cpu")


def cpu_simple() -> Device:
    """The host as well."""
    return Device("cpu")


def cuda() -> Device:
    """A GPU, which this backend never has: ``cuda().enabled()`` is False."""
    return Device("cuda", available=False)


def default_device() -> Device:
    """Where arrays are made when no device is named."""
    return cpu()


def all_devices() -> list[Device]:
    """Every device the backend knows, enabled or not."""
    return [cpu(), cuda()]


def set_num_threads(n: int) -> None:
    """Nothing to set: NumPy's threads are those of its BLAS library, which reads its own environment variables."""
    if n < 1:
        raise ValueError(f"set_num_threads: needs at least one thread, got {n}")


def as_array(data: Any, device: Device | None = None, dtype: str | None = None) -> np.ndarray:
    """`data` as an array, in the dtype it has (or that Python's numbers have in NumPy) unless another is asked for."""
    if device is not None and not device.enabled():
        raise ValueError(f"device {device} is not available under NEEDLE_BACKEND=np")
    array = np.array(data, dtype=dtype)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"cannot make an array of numbers from {type(data).__name__} of NumPy dtype {array.dtype}")
    return array


def abstract_array(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """An array of zeros of this shape and dtype that takes no memory: what `Op.infer` computes on."""
    return np.broadcast_to(np.zeros((), dtype=dtype), shape)


def compute_abstractly(compute: Callable[..., Any], arrays: list[np.ndarray]) -> Any:
    """What `compute` gives for abstract arrays; nobody wants to hear of the logarithms of their zeros."""
    with np.errstate(all="ignore"):
        return settled(compute(*arrays))


def on_host(function: Callable[..., Any], *arrays: np.ndarray) -> Any:
    """What a function of NumPy arrays gives for `arrays`."""
    return settled(function(*arrays))


def settled(data: Any) -> Any:
    """What a computation gave, as arrays: NumPy gives scalars where the result has no axes."""
    return tuple(map(np.asarray, data)) if isinstance(data, tuple) else np.asarray(data)


class _Identity:
    """Equal to another one when both stand for the same, living object."""

    __slots__ = ("_reference",)

    def __init__(self, array: np.ndarray) -> None:
        self._reference = weakref.ref(array)

    def __eq__(self, other: object) -> bool:
        array = self._reference()
        return array is not None and isinstance(other, _Identity) and array is other._reference()

    __hash__ = None  # type: ignore[assignment]


def stamp(data: Any) -> object:
    """What changes when data is replaced; a write in place cannot be seen on a NumPy array. None for no data."""
    if isinstance(data, tuple):
        return tuple(map(stamp, data))
    return None if data is None else _Identity(data)


def stamps(data: list[Any]) -> list[object]:
    """The stamp of each."""
    return list(map(stamp, data))
