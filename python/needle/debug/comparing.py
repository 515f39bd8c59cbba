"""What differs between two recordings of the same thing, such as two steps of training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from .records import Event, Listing
from .trace import Trace
from .values import Statistics

_COMPARED = ("minimum", "maximum", "mean", "nans", "infs")


@dataclass(frozen=True)
class Change:
    """The statistics of a value in two recordings.

    Attributes
    ----------
    first, second : Event
        What gave the node the value.
    before, after : Statistics
    size : float
        The largest difference of the statistics, relative to the larger of the two numbers; infinite where only one
        of them has a NaN or an Inf, or a finite element.
    """

    first: Event
    second: Event
    before: Statistics
    after: Statistics
    size: float

    def __str__(self) -> str:
        what = f"#{self.first.node} {self.first.op or self.first.kind} at {self.first.place}"
        return f"{self.size:8.2g}  {what}\n          {self.before}\n          {self.after}"


@dataclass(frozen=True)
class Difference:
    """What differs between two recordings.

    Attributes
    ----------
    first : tuple or None
        The first events that differ in kind, op, shape or line, one of each recording (None at the end of the shorter);
        None if the recordings go the same way.
    changes : list of Change
        Of the values up to there: those whose statistics differ, the largest differences first.
    """

    first: tuple[Event | None, Event | None] | None
    changes: Listing

    def __str__(self) -> str:
        if self.first is None:
            lines = ["the same events"]
        else:
            ours, theirs = ("the recording is at its end" if event is None else str(event) for event in self.first)
            lines = ["the first events that differ:", f"  {ours}", f"  {theirs}"]
        if self.changes:
            lines += ["the largest differences of values (relative; before, after):"]
            lines += [str(change) for change in self.changes[:10]]
        else:
            lines += ["no value differs in its statistics"]
        return "\n".join(lines)


def compare(one: Trace, other: Trace) -> Difference:
    """Walk through two recordings until they part.

    Parameters
    ----------
    one, other : Trace

    Returns
    -------
    Difference
    """
    changes: list[Change] = []
    first: tuple[Event | None, Event | None] | None = None
    for a, b in zip_longest(one.events, other.events):
        if a is None or b is None or _what(one, a) != _what(other, b):
            first = a, b
            break
        if a.value is not None and b.value is not None:
            before, after = one.ring.statistics(a.value), other.ring.statistics(b.value)
            size = _distance(before, after)
            if size > 0:
                changes.append(Change(a, b, before, after, size))
    return Difference(first, Listing(sorted(changes, key=lambda change: -change.size)))


def _what(trace: Trace, event: Event) -> tuple[Any, ...]:
    shape = () if event.node is None else trace.all_nodes[event.node - 1].shape
    line = event.place.user
    return event.kind, event.op, event.what, shape, line.filename, line.number


def _distance(before: Statistics, after: Statistics) -> float:
    distances = [0.0]
    for name in _COMPARED:
        a, b = getattr(before, name), getattr(after, name)
        if (a is None) != (b is None) or (name in ("nans", "infs") and bool(a) != bool(b)):
            return math.inf
        if a is not None and a != b:
            largest = max(abs(a), abs(b))
            distances.append(abs(a / largest - b / largest))
    return max(distances)
