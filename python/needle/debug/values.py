"""What a recording keeps of values: statistics of all of them, and as many of the arrays as fit."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend_selection import NDArray


@dataclass(frozen=True)
class Statistics:
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


def statistics_of(value: Any) -> Statistics:
    """Look at all elements of a NumPy array, or of a tuple of them."""
    arrays = value if isinstance(value, tuple) else (value,)
    shape = tuple(a.shape for a in value) if isinstance(value, tuple) else value.shape
    flat = np.concatenate([np.asarray(a, "float64").ravel() for a in arrays]) if arrays else np.empty(0)
    finite = flat[np.isfinite(flat)]
    if not finite.size:
        low = high = mean = None
    else:
        low, high = float(finite.min()), float(finite.max())
        mean = float(np.mean(finite / finite.size) * finite.size) if max(-low, high) > 1e300 else float(finite.mean())
    nans = int(np.isnan(flat).sum())
    dtype = str(arrays[0].dtype) if arrays else ""
    zeros = flat.size - int(np.count_nonzero(flat))
    return Statistics(shape, dtype, low, high, mean, nans, flat.size - finite.size - nans, zeros, flat.size)


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
    return int(np.prod(data.shape, dtype=np.int64)) * np.dtype(str(data.dtype)).itemsize


class Kept:
    """A value that was seen: its array until that is dropped, and its statistics, which stay."""

    __slots__ = ("_statistics", "array")

    def __init__(self, array: Any, statistics: Statistics | None = None) -> None:
        self.array = array
        self._statistics = statistics

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

    def add(self, value: Any) -> int:
        """Take over `value`, a NumPy array or a tuple of them, and give its number."""
        for array in value if isinstance(value, tuple) else (value,):
            array.flags.writeable = False
        slot = len(self.kept)
        self.kept.append(Kept(value))
        self._with_array.append(slot)
        self.used += bytes_of(value)
        while self.used > self.limit:
            oldest = self.kept[self._with_array.popleft()]
            self.used -= bytes_of(oldest.array)
            oldest.drop()
        return slot
