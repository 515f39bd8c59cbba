"""Where time and memory go: totals by operator, line and module, and what is alive."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any, NamedTuple

from needle.autograd import Op, Value

from .recorder import Line, Node, Recorder


class Total(NamedTuple):
    """A sum over nodes that were computed: how many, how long it took, and the size of their data."""

    calls: int
    seconds: float
    nbytes: int


#: What nodes can be told apart by.
KEYS = {"op": lambda node: node.op, "line": lambda node: node.line, "module": lambda node: node.module}


def total(nodes: list[Node]) -> Total:
    """The sum over those of some nodes that were computed while the recorder listened."""
    computed = [(node.seconds, node.nbytes) for node in nodes if node.seconds is not None]
    return Total(len(computed), sum(seconds for seconds, _ in computed), sum(nbytes for _, nbytes in computed))


def profile(recorder: Recorder, by: str = "op") -> dict[Any, Total]:
    """Totals by op, line or module (the values of `KEYS`): what took longest comes first.

    Every node that was computed is counted once; so each of the three adds up to the same. What has no such node is
    left out.
    """
    groups: dict[Any, list[Node]] = {}
    for node in recorder.nodes.values():
        if node.seconds is not None:
            groups.setdefault(KEYS[by](node), []).append(node)
    totals = {key: total(nodes) for key, nodes in groups.items()}
    return dict(sorted(totals.items(), key=lambda item: -item[1].seconds))


def inclusive(recorder: Recorder) -> dict[str, Total]:
    """Totals by module, each with all that lies within it: ``"MLP"`` with ``"MLP.layers.0"``.

    All modules that were called are there, in the order of their first calls.
    """
    found = {}
    for label in recorder.calls:
        nodes = [node for node in recorder.nodes.values() if f"{node.module}.".startswith(f"{label}.")]
        found[label] = total(nodes)
    return found


def table(totals: Mapping[Any, Total]) -> str:
    """Totals as a text, one line for each."""
    rows = [f"{'calls':>7} {'ms':>9} {'bytes':>12}"]
    for key, (calls, seconds, nbytes) in totals.items():
        what = f"{key.function}: {key.text}" if isinstance(key, Line) else key or "(none)"
        rows.append(f"{calls:7,} {1000 * seconds:9.3f} {nbytes:12,}  {what}"[:96])
    return "\n".join(rows)


class Memory(Recorder):
    """Knows which nodes are alive, of those that were computed while it listened.

    A node counts from `computed` on until it is gone, with the size of its data; a view as if it had memory of its own.

    Attributes
    ----------
    alive : dict of int to int
        Number and bytes of each node that is alive.
    now, peak : int
        The sum of these bytes, and the largest that it ever was.
    at_peak : dict of Line to int
        What `by_line` gave when the peak was reached (the first time).
    """

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, int] = {}
        self.now = 0
        self.peak = 0
        self.at_peak: dict[Line | None, int] = {}
        self.references: dict[int, Any] = {}

    def computed(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """Count the node, and see to it that `died` is called when it is gone."""
        super().computed(node, op, inputs, seconds)
        with self.lock:
            number = self.number(node)
            self.references[number] = weakref.ref(node, lambda _: self.died(number))
            self.alive[number] = self.nodes[number].nbytes
            self.now += self.alive[number]
            if self.now > self.peak:
                self.peak, self.at_peak = self.now, self.by_line()

    def died(self, number: int) -> None:
        """A node is gone: it counts no more."""
        with self.lock:
            self.references.pop(number, None)
            self.now -= self.alive.pop(number, 0)

    def by_line(self) -> dict[Line | None, int]:
        """The bytes that are alive, by the lines that made them; the largest comes first."""
        with self.lock:
            found: dict[Line | None, int] = {}
            for number, nbytes in self.alive.items():
                line = self.nodes[number].line
                found[line] = found.get(line, 0) + nbytes
            return dict(sorted(found.items(), key=lambda item: -item[1]))
