"""What the page of `view` says of values: statistics, the first elements and a small histogram, of each once."""

from __future__ import annotations

from typing import Any

import numpy as np

from .values import Ring, Statistics, statistics_of

#: Columns of a histogram.
BINS = 24

#: How many of the elements are shown.
FIRST = 8

#: What the page tells of one array, as JSON has it.
Facts = dict[str, Any]


class Values:
    """The list of all values in a page; a node has their positions in it.

    A value is a list of facts, one for each array: for a TensorTuple there are several.
    """

    def __init__(self) -> None:
        self.all: list[list[Facts]] = []
        self._of_kept: dict[int, int] = {}

    def add(self, arrays: tuple[Any, ...]) -> int:
        """Take in what is told of arrays; say where it is."""
        self.all.append([facts_of(array) for array in arrays])
        return len(self.all) - 1

    def add_kept(self, number: int, ring: Ring) -> int:
        """The same for value `number` of a recording, of which only the statistics may be left."""
        if number not in self._of_kept:
            seen = ring.seen(number)
            if seen is None:
                self.all.append([_of_dropped(ring.statistics(number))])
            else:
                self.all.append([facts_of(array) for array in parts_of(seen)])
            self._of_kept[number] = len(self.all) - 1
        return self._of_kept[number]


def parts_of(data: Any) -> tuple[Any, ...]:
    """The arrays of a node: one, several for a TensorTuple, none where there is no data."""
    return data if isinstance(data, tuple) else () if data is None else (data,)


def facts_of(data: Any) -> Facts:
    """What is told of an array.

    The texts of ``min``, ``max``, ``mean`` and ``std`` (of the finite elements), counts of ``nan``, ``inf`` and
    ``zero``, the first elements, and a histogram of the finite ones.
    """
    try:
        array = data if isinstance(data, np.ndarray) else data.peek()
        with np.errstate(all="ignore"):
            return _facts(array)
    except Exception as error:
        return {"note": f"the values cannot be read: {error}"}


def _facts(array: np.ndarray) -> Facts:
    facts = _of_statistics(statistics_of(array), array.nbytes)
    facts["first"] = [_number(x) for x in array.flat[:FIRST]]
    finite = np.asarray(array, "float64")
    finite = finite[np.isfinite(finite)]
    if finite.size:
        facts["std"] = _number(finite.std())
        facts["histogram"] = _histogram(finite)
    return facts


def _of_statistics(known: Statistics, nbytes: int) -> Facts:
    facts: Facts = {"size": known.size, "bytes": nbytes, "nan": known.nans, "inf": known.infs, "zero": known.zeros}
    if known.minimum is not None:
        facts |= {"min": _number(known.minimum), "max": _number(known.maximum), "mean": _number(known.mean)}
    return facts


def _of_dropped(known: Statistics) -> Facts:
    facts = _of_statistics(known, known.size * np.dtype(known.dtype or "float32").itemsize)
    return {**facts, "first": [], "dropped": True}


def _histogram(finite: np.ndarray) -> Facts:
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return {"low": _number(low), "high": _number(high), "counts": [int(finite.size)]}
    scaled = (finite / 2 - low / 2) / (high / 2 - low / 2)
    counts = np.bincount(np.minimum((scaled * BINS).astype("int64"), BINS - 1).ravel(), minlength=BINS)
    return {"low": _number(low), "high": _number(high), "counts": counts.tolist()}


def _number(x: Any) -> str:
    return f"{x:.5g}" if isinstance(x, (float, complex, np.inexact)) else str(int(x))
