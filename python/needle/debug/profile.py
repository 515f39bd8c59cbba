"""Where time goes: `profile` counts seconds, calls, bytes and flops by op, by line and by module."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from ..autograd import Op, Value
from ..listening import Listener, listening
from ..places import users_line
from .flops import flops_of
from .origins import differentiated
from .values import bytes_of

#: How many of the latest computations and module calls are kept for `Profile.save`; the sums count all of them.
KEPT = 200_000

KEYS = ("op", "line", "module")


class Row(NamedTuple):
    """What was spent under one name in one direction.

    Attributes
    ----------
    name : str
        An op's class, a line, or a module's path and class.
    direction : str
        ``"forward"`` or ``"backward"``.
    calls : int
        How many computations.
    seconds : float
        How long they took.
    bytes : int
        The size of all outputs.
    flops : int
        See `needle.debug.flops`.
    """

    name: str
    direction: str
    calls: int
    seconds: float
    bytes: int
    flops: int


class _Owner(NamedTuple):
    """To whom a computation is charged: the line and the module of the forward pass that it is done for."""

    line: str
    module: str
    backward: bool


class _Slice(NamedTuple):
    """One bar of the trace: a computation, or a call of a module."""

    name: str
    category: str
    start: float
    seconds: float
    arguments: dict[str, Any]


@contextmanager
def profile() -> Iterator[Profile]:
    """Within the block, count what computations cost; the block's variable is the `Profile`.

    What is done for a derivative is charged to the line and the module of the forward pass whose derivative it is, as
    ``"backward"``. Compiled functions run eagerly meanwhile. The time of a computation is that of its ``compute``;
    what Python needs around it, and what an optimizer does with arrays, is only in `Profile.wall`.

    Examples
    --------
    >>> with ndl.debug.profile() as p:
    ...     train_one_epoch()
    >>> print(p)
    >>> p.save("trace.json")
    """
    result = Profile()
    with listening(_Counter(result)):
        start = perf_counter()
        try:
            yield result
        finally:
            result.wall += perf_counter() - start


class Profile:
    """What a program spent: printed, a table of ops; `by` gives the numbers, `save` a file for a trace viewer.

    Attributes
    ----------
    wall : float
        Seconds that the block took.
    """

    def __init__(self) -> None:
        self.wall = 0.0
        self._rows: dict[str, dict[tuple[str, str], Row]] = {key: {} for key in KEYS}
        self._slices: deque[_Slice] = deque(maxlen=KEPT)
        self._began = perf_counter()

    @property
    def seconds(self) -> float:
        """Time of all computations."""
        return sum(row.seconds for row in self._rows["op"].values())

    @property
    def calls(self) -> int:
        """Number of all computations."""
        return sum(row.calls for row in self._rows["op"].values())

    @property
    def flops(self) -> int:
        """Floating point operations of all computations."""
        return sum(row.flops for row in self._rows["op"].values())

    def by(self, key: str) -> list[Row]:
        """What was spent by ``"op"``, ``"line"`` or ``"module"``, the most time first; forward and backward apart.

        Raises
        ------
        ValueError
            If `key` is none of these.
        """
        if key not in KEYS:
            raise ValueError(f"Profile.by: the key must be one of {', '.join(map(repr, KEYS))}; got {key!r}")
        return sorted(self._rows[key].values(), key=lambda row: -row.seconds)

    def table(self, key: str = "op", rows: int = 20) -> str:
        """`by` as a table of at most 80 columns, with the first `rows` rows."""
        found = self.by(key)
        lines = [
            f"{_seconds(self.seconds)} in {self.calls} computations, {_seconds(self.wall)} in all",
            f"{key:<32} {'pass':<8} {'calls':>6} {'time':>9} {'share':>5} {'bytes':>6} {'flops':>6}",
        ]
        for row in found[:rows]:
            share = row.seconds / self.seconds if self.seconds else 0.0
            lines.append(
                f"{_fit(row.name, 32):<32} {row.direction:<8} {_count(row.calls):>6} {_seconds(row.seconds):>9} "
                f"{share:>5.0%} {_short(row.bytes):>6} {_short(row.flops):>6}"
            )
        if len(found) > rows:
            lines.append(f"... and {len(found) - rows} more")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"Profile({self.calls} computations, {_seconds(self.seconds)})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file in Chrome's trace event format, for ``chrome://tracing`` or https://ui.perfetto.dev.

        It holds the latest 200,000 computations and module calls.
        """
        events = [
            {
                "name": each.name,
                "cat": each.category,
                "ph": "X",
                "ts": (each.start - self._began) * 1e6,
                "dur": each.seconds * 1e6,
                "pid": 1,
                "tid": 1,
                "args": each.arguments,
            }
            for each in sorted(self._slices, key=lambda each: each.start)
        ]
        Path(path).write_text(json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}), encoding="utf-8")

    def _charge(self, op: Op, owner: _Owner, seconds: float, size: int, flops: int) -> None:
        direction = "backward" if owner.backward else "forward"
        name = type(op).__name__
        for key, label in zip(KEYS, (name, owner.line, owner.module)):
            rows = self._rows[key]
            row = rows.get((label, direction), Row(label, direction, 0, 0.0, 0, 0))
            rows[label, direction] = Row(
                label, direction, row.calls + 1, row.seconds + seconds, row.bytes + size, row.flops + flops
            )
        arguments = {"line": owner.line, "module": owner.module, "bytes": size, "flops": flops}
        self._slices.append(_Slice(name, direction, perf_counter() - seconds, seconds, arguments))

    def _called(self, module: str, start: float) -> None:
        self._slices.append(_Slice(module, "module", start, perf_counter() - start, {}))


class _Counter(Listener):
    """Hears of every computation, and charges it to whom it is done for."""

    def __init__(self, result: Profile) -> None:
        self.result = result
        self.owners: WeakKeyDictionary[Value, _Owner] = WeakKeyDictionary()
        self.modules: list[tuple[str, float]] = []
        self.paths: dict[int, str] = {}
        self.backward = 0

    def made(self, node: Value, op: Op, inputs: tuple[Value, ...]) -> None:
        if node.cached_data is None or node.requires_grad:
            self.owners[node] = self._owner()

    def computed(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        lazy = node.recorded_spec is not None
        owner = (self.owners.get(node) if lazy else None) or self._owner()
        self.result._charge(op, owner, seconds, bytes_of(node.cached_data), flops_of(op, inputs, node))

    def _owner(self) -> _Owner:
        """To whom is charged what is done now."""
        source = differentiated()
        known = None if source is None else self.owners.get(source.node)
        if known is not None:
            return _Owner(known.line, known.module, backward=True)
        module = self.modules[-1][0] if self.modules else "(no module)"
        return _Owner(str(users_line()), module, backward=source is not None or self.backward > 0)

    def entered(self, module: Any) -> None:
        if not self.modules:
            self.paths = {id(inner): path for path, inner in module.named_modules()}
        name = " ".join(filter(None, [self.paths.get(id(module), "?"), type(module).__name__]))
        self.modules.append((name, perf_counter()))

    def left(self, module: Any, output: Any) -> None:
        if self.modules:
            self.result._called(*self.modules.pop())

    def backward_began(self, outputs: Sequence[Value]) -> None:
        self.backward += 1

    def backward_ended(self, outputs: Sequence[Value]) -> None:
        self.backward = max(0, self.backward - 1)


def _seconds(seconds: float) -> str:
    unit, factor = next(((u, f) for u, f in (("s", 1.0), ("ms", 1e3)) if seconds * f >= 1), ("us", 1e6))
    return f"{seconds * factor:.1f} {unit}"


def _count(number: int) -> str:
    return str(number) if number < 1_000_000 else _short(number)


def _short(number: float) -> str:
    """A count in at most six characters."""
    for unit in ("", "k", "M", "G", "T"):
        if number < 1000:
            return f"{number:.0f}" if not unit else f"{number:.1f}{unit}"
        number /= 1000
    return f"{number:.0e}"


def _fit(text: str, width: int) -> str:
    """`text`, shortened in the middle."""
    if len(text) <= width:
        return text
    half = (width - 3) // 2
    return f"{text[: width - 3 - half]}...{text[-half:]}"
