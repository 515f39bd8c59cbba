"""What a recording keeps of values: statistics of all of them, and as many of the arrays as fit."""

from __future__ import annotations

import weakref
from collections import deque
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..backend_selection import BACKEND, NDArray


class Statistics(NamedTuple):
    """What is known of a value for good.

    Attributes
    ----------
    shape : tuple
        Of the array, or the shapes of a tuple of arrays.
    dtype : str
        Of the array, or of the first of a tuple.
    minimum, maximum, mean : float or None
        Of the finite elements; None if there are none.
    nans, infs, zeros : int
        How many elements are NaN, how many infinite, and how many 0.
    size : int
        How many elements there are.
    """

    shape: tuple[Any, ...]
    dtype: str
    minimum: float | None
    maximum: float | None
    mean: float | None
    nans: int
    infs: int
    zeros: int
    size: int

    def in_full(self) -> str:
        """Shape, dtype, extremes and counts, in one line."""
        extremes = "no finite element"
        if self.minimum is not None:
            extremes = f"min {self.minimum:.4g}, max {self.maximum:.4g}"
        counts = f"{self.nans} NaN, {self.infs} Inf, {self.zeros} zero"
        return f"shape {self.shape}, {self.dtype}, {extremes}; {counts} of {self.size}"

    def __str__(self) -> str:
        parts = []
        if self.mean is not None:
            parts.append(f"min {self.minimum:.4g}  max {self.maximum:.4g}  mean {self.mean:.4g}")
        parts += [f"{count} {what}" for count, what in ((self.nans, "NaN"), (self.infs, "Inf")) if count]
        return "  ".join(parts) or "no elements"


#: Names of dtypes, which NumPy takes longer to give than to add a thousand numbers.
_FLOATS = {np.dtype(name): name for name in ("float32", "float64")}


def statistics_of(value: Any) -> Statistics:
    """Look at all elements of a NumPy array, or of a tuple of them."""
    if isinstance(value, np.ndarray) and value.dtype in _FLOATS and value.size:
        with np.errstate(all="ignore"):
            low, high = float(np.minimum.reduce(value, axis=None)), float(np.maximum.reduce(value, axis=None))
            mean = float(np.add.reduce(value, axis=None)) / value.size
        if low - low == high - high == mean - mean == 0:  # all are finite, as nearly always: it has to be quick
            zeros = int(np.count_nonzero(value == 0)) if low <= 0 <= high else 0
            return Statistics(value.shape, _FLOATS[value.dtype], low, high, mean, 0, 0, zeros, value.size)
    arrays = value if isinstance(value, tuple) else (value,)
    shape = tuple(a.shape for a in value) if isinstance(value, tuple) else value.shape
    flat = np.concatenate([np.asarray(a, "float64").ravel() for a in arrays]) if arrays else np.empty(0)
    finite = flat[np.isfinite(flat)]
    extremes: tuple[float | None, float | None, float | None] = (None, None, None)
    if finite.size:
        least, most = float(finite.min()), float(finite.max())
        is_huge = max(-least, most) > 1e300  # so that the sum might overflow
        extremes = least, most, float(np.mean(finite / finite.size) * finite.size if is_huge else finite.mean())
    nans = int(np.isnan(flat).sum())
    dtype = str(arrays[0].dtype) if arrays else ""
    zeros = flat.size - int(np.count_nonzero(flat))
    return Statistics(shape, dtype, *extremes, nans, flat.size - finite.size - nans, zeros, flat.size)


def copied(data: Any) -> Any:
    """The data of a node as NumPy arrays of their own; None for what has no elements to copy."""
    if isinstance(data, tuple):
        parts = tuple(copied(array) for array in data)
        return None if any(part is None for part in parts) else parts
    if isinstance(data, np.ndarray):
        return np.array(data)
    return np.array(data.peek()) if isinstance(data, NDArray) else None


def bytes_of(data: Any) -> int:
    """How much memory the elements of an array take, or of a tuple of them; 0 for None."""
    if data is None:
        return 0
    if isinstance(data, np.ndarray):
        return data.nbytes
    if isinstance(data, tuple):
        return sum(map(bytes_of, data))
    return int(prod(data.shape)) * np.dtype(str(data.dtype)).itemsize


def viewed(data: Any) -> tuple[Any, tuple[int, ...]]:
    """The data of a node as NumPy arrays that nobody writes to, and the addresses of buffers that they view.

    Needle's arrays are not copied, but viewed, unless the buffer is much larger than the array, or somebody else's. A
    `Ring` that keeps a view copies it before the buffer is written in place.
    """
    if isinstance(data, tuple):
        parts = [viewed(array) for array in data]
        arrays = tuple(array for array, _ in parts)
        return (None if any(a is None for a in arrays) else arrays), tuple(x for _, found in parts for x in found)
    if BACKEND == "nd" and type(data) is NDArray:
        # A view of its own, since a replay writes to buffers that have no more views than it knows.
        handle = data._handle
        array = data.device.View(handle, data.shape, data.strides, data.offset).as_numpy()
        if handle.nbytes <= 2 * array.nbytes and not handle.borrowed:
            return array, (handle.ptr(),)
    return copied(data), ()


class Kept:
    """A value that was seen: its array until that is dropped, and its statistics, which stay.

    It was seen in the buffers at `addresses`, and while `is_view`, its array lies there; then it is a copy.
    """

    __slots__ = ("_statistics", "addresses", "array", "is_view")

    def __init__(self, array: Any, statistics: Statistics | None = None, addresses: tuple[int, ...] = ()) -> None:
        self.array = array
        self.addresses = addresses
        self.is_view = bool(addresses)
        self._statistics = statistics

    def own(self) -> Any:
        """The array, as a copy of its own."""
        if self.is_view and self.array is not None:
            self.array, self.is_view = copied(self.array), False
            for array in self.array if isinstance(self.array, tuple) else (self.array,):
                array.flags.writeable = False
        return self.array

    @property
    def statistics(self) -> Statistics:
        """Taken when first asked for, or when the array is dropped."""
        if self._statistics is None:
            self._statistics = statistics_of(self.array)
        return self._statistics

    def drop(self) -> None:
        """Let the array go."""
        self._statistics = self.statistics
        self.array = None


class Ring:
    """Values by number; of their arrays the newest ones, of at most `limit` bytes together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.kept: list[Kept] = []
        self._with_array: deque[int] = deque()
        self._views: dict[int, Kept | list[Kept]] = {}  # by the address of the buffer; mostly there is one
        _rings.add(self)

    def add(self, value: Any, nbytes: int, addresses: tuple[int, ...] = ()) -> int:
        """Take over `value`, a NumPy array or a tuple of them, of so many bytes, and give its number."""
        if not addresses:
            for array in value if isinstance(value, tuple) else (value,):
                array.flags.writeable = False
        slot, kept = len(self.kept), Kept(value, None, addresses)
        self.kept.append(kept)
        for address in addresses:
            others = self._views.get(address)
            self._views[address] = kept if others is None else [*_listed(others), kept]
        self._with_array.append(slot)
        self.used += nbytes
        while self.used > self.limit:
            oldest = self.kept[self._with_array.popleft()]
            self.used -= bytes_of(oldest.array)
            for address in oldest.addresses:
                self._forget(address, oldest)
            oldest.drop()
        return slot

    def _forget(self, address: int, kept: Kept) -> None:
        left = [other for other in _listed(self._views.pop(address, [])) if other is not kept]
        if left:
            self._views[address] = left

    def about_to_write(self, address: int) -> None:
        """Copy what is kept of a buffer that will be written."""
        for kept in _listed(self._views.pop(address, [])):
            kept.own()


def _listed(kept: Kept | list[Kept]) -> list[Kept]:
    return kept if isinstance(kept, list) else [kept]


_rings: weakref.WeakSet[Ring] = weakref.WeakSet()


def _about_to_write(handle: Any) -> None:
    for ring in tuple(_rings):
        ring.about_to_write(handle.ptr())


if BACKEND == "nd":
    from ..backend_ndarray.writes import keepers

    keepers.append(_about_to_write)
