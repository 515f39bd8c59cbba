"""What a recording keeps of values: statistics of all of them, and as many of the arrays as fit."""

from __future__ import annotations

import weakref
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


#: The type of arrays of which a view can be kept; None where there is none.
VIEWABLE = NDArray if BACKEND == "nd" else None


def _viewed(array: Any) -> tuple[Any, int, int]:
    """An array as it is kept, its bytes, and the address of the buffer that it is a view of; 0 if it is a copy.

    Needle's arrays are not copied, but viewed, unless the buffer is much larger than the array, or somebody else's.
    """
    if type(array) is VIEWABLE:
        footprint = array._view.footprint()
        if footprint is not None:
            return array._view, *footprint
    copy = copied(array)
    if copy is None:
        return None, 0, 0
    copy.flags.writeable = False
    return copy, copy.nbytes, 0


def _as_numpy(kept: Any) -> Any:
    """What is kept of an array, as a NumPy array that nobody writes to."""
    return kept if isinstance(kept, np.ndarray) else kept.as_numpy()


class Ring:
    """Values by number; of their arrays the newest ones, of at most `limit` bytes together.

    An array is kept as Needle's view of its buffer, which says to those who would write in place that they are not
    alone (`needle.compiled`), or else is copied before they do (`about_to_write`). All is kept in flat lists: of these
    the garbage collector looks at nothing.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._kept: list[Any] = []  # a view, a NumPy array, a tuple of such, or None when it was dropped
        self._oldest = 0  # the first that was not dropped
        self._statistics: dict[int, Statistics] = {}  # what was asked for
        self._summaries: dict[int, tuple[Any, ...]] = {}  # of what was dropped: what its device told, shape and dtype
        self._views: dict[int, int | tuple[int, ...]] = {}  # who views a buffer, by its address; mostly there is one
        _rings.add(self)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, data: Any) -> tuple[int | None, int | None]:
        """Keep the data of a node as it is now; give its number and its bytes; None if it has no elements."""
        footprint = data._view.footprint() if type(data) is VIEWABLE else None
        if footprint is None:
            return self._add_others(data)
        nbytes, address = footprint
        slot = len(self._kept)
        self._kept.append(data._view)
        if self._views.setdefault(address, slot) != slot:
            self._note_view(address, slot)
        self.used += nbytes
        if self.used > self.limit:
            self._drop_oldest()
        return slot, nbytes

    def _add_others(self, data: Any) -> tuple[int | None, int | None]:
        """`add`, for tuples, and for what is copied."""
        parts = [_viewed(array) for array in _parts(data)]
        if any(part[0] is None for part in parts):
            return None, None
        slot, nbytes = len(self._kept), sum(part[1] for part in parts)
        for part in parts:
            self._note_view(part[2], slot)
        self._kept.append(tuple(part[0] for part in parts) if type(data) is tuple else parts[0][0])
        self.used += nbytes
        self._drop_oldest()
        return slot, nbytes

    def add_known(self, value: Any, statistics: Statistics) -> None:
        """Take in NumPy arrays (or None, if they were dropped) and what is known of them."""
        for array in () if value is None else _parts(value):
            array.flags.writeable = False
        self._statistics[len(self._kept)] = statistics
        self._kept.append(value)
        self.used += bytes_of(value)

    def seen(self, slot: int) -> Any:
        """A value as NumPy arrays, which may lie in the program's memory; None if it was dropped."""
        kept = self._kept[slot]
        if kept is None:
            return None
        return tuple(map(_as_numpy, kept)) if type(kept) is tuple else _as_numpy(kept)

    def own(self, slot: int) -> Any:
        """A value as NumPy arrays of its own; None if it was dropped."""
        kept = self._kept[slot]
        if kept is None:
            return None
        for part in _parts(kept):
            if not isinstance(part, np.ndarray):
                self._forget(part.handle.ptr(), slot)
        own = self._kept[slot] = tuple(map(_owned, kept)) if type(kept) is tuple else _owned(kept)
        return own

    def statistics(self, slot: int) -> Statistics:
        """What is known of a value for good; taken when it is first asked for, or when the value is dropped."""
        known = self._statistics.get(slot)
        if known is None:
            summary = self._summaries.get(slot)
            known = statistics_of(self.seen(slot)) if summary is None else _statistics_by(*summary)
            self._statistics[slot] = known
        return known

    def about_to_write(self, address: int) -> None:
        """Copy what is kept of a buffer that will be written."""
        for slot in _listed(self._views.pop(address, ())):
            self.own(slot)

    def _note_view(self, address: int, slot: int) -> None:
        if address:
            self._views[address] = (*_listed(self._views.get(address, ())), slot)

    def _drop_oldest(self) -> None:
        """Let the arrays of the oldest values go until the others fit; what is known of them stays."""
        while self.used > self.limit:
            self._drop(self._oldest)
            self._oldest += 1

    def _drop(self, slot: int) -> None:
        kept = self._kept[slot]
        if kept is None:
            return
        if slot not in self._statistics:
            summary = _summary_of(kept)
            if summary is None:
                self.statistics(slot)
            else:
                self._summaries[slot] = summary
        self._kept[slot] = None
        for part in _parts(kept):
            self.used -= part.nbytes
            if not isinstance(part, np.ndarray):
                self._forget(part.handle.ptr(), slot)

    def _forget(self, address: int, slot: int) -> None:
        slots = self._views.pop(address, slot)
        if isinstance(slots, tuple):
            first = slots.index(slot) if slot in slots else len(slots)  # mostly 0, since the oldest go first
            self._views[address] = slots[:first] + slots[first + 1 :]
        elif slots != slot:
            self._views[address] = slots


def _summary_of(kept: Any) -> tuple[Any, ...] | None:
    """What `_statistics_by` takes, if the device can tell it."""
    if type(kept) is not tuple:
        summary = None if isinstance(kept, np.ndarray) else kept.summary()
        return None if summary is None else (*summary, kept.shape, kept.dtype)
    parts = [_summary_of(part) for part in kept]
    if not parts or None in parts:
        return None
    lows, highs, means, zeros, sizes, shapes, dtypes = zip(*parts)
    size = sum(sizes)
    mean = sum(mean * n for mean, n in zip(means, sizes)) / size
    return min(lows), max(highs), mean, sum(zeros), size, shapes, dtypes[0]


def _statistics_by(
    low: float, high: float, mean: float, zeros: int, size: int, shape: tuple[int, ...], dtype: str
) -> Statistics:
    return Statistics(shape, dtype, low, high, mean, 0, 0, zeros, size)


def _parts(kept: Any) -> tuple[Any, ...]:
    return kept if isinstance(kept, tuple) else (kept,)


def _owned(kept: Any) -> Any:
    if isinstance(kept, np.ndarray):
        return kept
    array = np.array(kept.as_numpy())
    array.flags.writeable = False
    return array


def _listed(slots: int | tuple[int, ...]) -> tuple[int, ...]:
    return slots if isinstance(slots, tuple) else (slots,)


_rings: weakref.WeakSet[Ring] = weakref.WeakSet()


def _about_to_write(handle: Any) -> None:
    for ring in tuple(_rings):
        ring.about_to_write(handle.ptr())


if BACKEND == "nd":
    from ..backend_ndarray.writes import keepers

    keepers.append(_about_to_write)
