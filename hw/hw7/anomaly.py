"""The first NaN: a listener that stops the program where it arises, and says what it comes from."""

from __future__ import annotations

from typing import Any

import numpy as np

from needle.autograd import Op, Value

from .provenance import where
from .recorder import Node, Recorder


class AnomalyError(FloatingPointError):
    """A NaN (or an Inf) has arisen.

    Attributes
    ----------
    kind : str
        ``"NaN"`` or ``"Inf"``.
    direction : str
        ``"forward"``, ``"backward"`` or ``"update"``.
    node : Node
        Forward: the node that is bad. Backward: the node whose ``gradient`` handed on a bad share. Update: the tensor
        that was given bad data.
    origin : Node
        The node that was bad first.
    position : int or None
        Backward: to which input of `node` the share was handed.
    """

    def __init__(self, kind: str, direction: str, node: Node, origin: Node, position: int | None = None) -> None:
        self.kind, self.direction, self.node, self.origin, self.position = kind, direction, node, origin, position
        what = f"#{node.number} {node.shape}" + (f" = {node.op}" if node.op else "")
        told = {
            "forward": f"{what}, made in {where(node.line)}",
            "backward": f"the gradient of {what}, made in {where(node.line)}, for its input {position}",
            "update": f"new data for {node.name or what}, from {where(node.changed)}",
        }[direction]
        text = f"{kind} in the {direction}: {told}"
        if origin is not node:
            text += f"\n  it comes from #{origin.number} {origin.shape}"
            text += f" = {origin.op}, made in {where(origin.line)}" if origin.op else f" {origin.name or 'a leaf'}"
        super().__init__(text)


def kind_of(data: Any) -> str:
    """``"NaN"`` if there is one in the data of a node, else ``"Inf"`` if there is one (of either sign), else empty.

    The data are an array of any shape and dtype, a tuple of arrays, or None, where nothing is computed yet.
    """
    arrays = data if isinstance(data, tuple) else () if data is None else (data,)
    found = ""
    for array in map(np.asarray, arrays):
        if array.dtype.kind not in "fc":
            continue
        if np.isnan(array).any():
            return "NaN"
        if np.isinf(array).any():
            found = "Inf"
    return found


class Detector(Recorder):
    """Raises `AnomalyError` at the first NaN; with `inf`, at the first NaN or Inf.

    Attributes
    ----------
    bad : dict of int to str
        The kinds of all nodes whose data hold a NaN or an Inf, by their numbers.
    handed : dict of int to (int, int)
        Of each share: the number of the consumer that handed it on, and the position. If it was handed on several
        times, of the first.
    """

    def __init__(self, inf: bool = False) -> None:
        super().__init__()
        self.inf = inf
        self.bad: dict[int, str] = {}
        self.handed: dict[int, tuple[int, int]] = {}

    def alarming(self, kind: str) -> bool:
        """Whether what `kind_of` gave stops the program."""
        return kind == "NaN" or (self.inf and kind == "Inf")

    def look(self, node: Value) -> str:
        """Note in `bad` what the data of a node are now, and give their kind."""
        number, kind = self.number(node), kind_of(node.cached_data)
        self.bad.pop(number, None)
        if kind:
            self.bad[number] = kind
        return kind

    def origin(self, number: int) -> int:
        """Follow bad inputs back, of several the first, up to a node that has none: that one was bad first."""
        while True:
            inputs = [x for x in self.nodes[number].inputs if x in self.bad]
            if not inputs:
                return number
            number = inputs[0]

    def computed(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """Look at the node, and at those of its inputs that have no op: nobody has looked at them yet.

        A bad node of the forward pass stops the program. One of a backward walk does only if it is a share, which in
        lazy mode is known before it is computed; what a ``gradient`` computes on the way may be bad.
        """
        super().computed(node, op, inputs, seconds)
        with self.lock:
            for x in inputs:
                if not self.nodes[self.number(x)].op:
                    self.look(x)
            record = self.nodes[self.number(node)]
            if not self.alarming(self.look(node)):
                return
            if not record.walk:
                raise AnomalyError(self.bad[record.number], "forward", record, self.nodes[self.origin(record.number)])
            if record.number in self.handed:
                self._stop_walk(record.number)

    def share(self, node: Value, share: Any, consumer: Value, position: int) -> None:
        """Look at the share; a bad one stops the program."""
        super().share(node, share, consumer, position)
        with self.lock:
            if share is None:
                return
            self.handed.setdefault(self.number(share), (self.number(consumer), position))
            if self.alarming(self.look(share)):
                self._stop_walk(self.number(share))

    def _stop_walk(self, share: int) -> None:
        """Raise the error for a bad share."""
        consumer, position = self.handed[share]
        origin = self.nodes[self.origin(share)]
        raise AnomalyError(self.bad[share], "backward", self.nodes[consumer], origin, position)

    def replaced(self, tensor: Value, before: Any) -> None:
        """Look at the new data; if they are bad, and the old ones were not, stop the program."""
        super().replaced(tensor, before)
        with self.lock:
            kind = self.look(tensor)
            if self.alarming(kind) and not self.alarming(kind_of(before)):
                record = self.nodes[self.number(tensor)]
                raise AnomalyError(kind, "update", record, record)
