"""What an adjoint is the sum of: the shares of chosen nodes are kept with their values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from needle.autograd import Op, Value

from .recorder import Line, Recorder


class Contribution(NamedTuple):
    """A part of an adjoint: the op and the line of the consumer that it comes from, and its value."""

    op: str
    line: Line | None
    position: int
    value: Any


def copy_of(data: Any) -> Any:
    """NumPy copies of the data of a node."""
    if isinstance(data, tuple):
        return tuple(map(copy_of, data))
    return np.array(data) if isinstance(data, np.ndarray) else data.numpy()


class Adjoints(Recorder):
    """Keeps the values of the shares that chosen nodes are handed.

    Attributes
    ----------
    watched : set of int
        The numbers of these nodes.
    values : dict of int to array
        The values of their shares, by the numbers of the shares.
    awaited : set of int
        Shares of theirs that are not computed yet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.watched: set[int] = set()
        self.values: dict[int, Any] = {}
        self.awaited: set[int] = set()

    def watch(self, node: Value) -> None:
        """From now on keep the values of what `node` is handed."""
        self.watched.add(self.number(node))

    def share(self, node: Value, share: Any, consumer: Value, position: int) -> None:
        """Write it down, and if `node` is watched, keep a copy of its value.

        A listener does not compute what the program has not computed: a share without data (in lazy mode) is awaited.
        """
        super().share(node, share, consumer, position)
        with self.lock:
            if share is None or self.number(node) not in self.watched:
                return
            if share.cached_data is None:
                self.awaited.add(self.number(share))
            else:
                self.values[self.number(share)] = copy_of(share.cached_data)

    def computed(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """Write it down, and keep a copy of the value if it was awaited."""
        super().computed(node, op, inputs, seconds)
        with self.lock:
            number = self.number(node)
            if number in self.awaited:
                self.awaited.remove(number)
                self.values[number] = copy_of(node.cached_data)

    def contributions(self, node: Value) -> list[Contribution]:
        """The shares of a watched node in the last walk that handed it any, in the order in which they came.

        Shares that are None are left out. The value of one that is not computed yet is None.
        """
        number = self.number(node)
        given = [s for s in self.shares if s.node == number and s.share is not None]
        found = []
        for s in given:
            if s.walk == given[-1].walk:
                consumer, value = self.nodes[s.consumer], self.values.get(s.share)
                found.append(Contribution(consumer.op, consumer.line, s.position, value))
        return found
