"""`Trace`: a recording, and the questions that it answers."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Value
from ..backend_selection import NDArray
from ..places import Line
from .records import (
    NAME,
    NAMED_AT,
    NAMED_BY,
    NODE,
    NODE_WIDTH,
    VALUE,
    WIDTH,
    Events,
    Listing,
    Node,
    Nodes,
    cut,
    shortened,
)
from .values import Ring, Statistics, bytes_of

if TYPE_CHECKING:
    from .comparing import Difference


class Reference(weakref.ref[Value]):
    """A weak reference that knows the id of what it referred to."""

    __slots__ = ("key",)
    key: int


def _forget(numbers: dict[int, int], reference: Reference) -> None:
    del numbers[reference.key]


class Trace:
    """What happened to the graph, in order; made by `needle.debug.record`.

    Where a node is asked for, it may be a Tensor, its number, or its name (then the last node of that name).

    Attributes
    ----------
    events : sequence of Event
        Everything, in order.
    all_nodes : sequence of Node
        All nodes, by number from 1.
    """

    def __init__(self, keep: int) -> None:
        self.events = Events()
        self.all_nodes = Nodes()
        self.ring = Ring(keep)
        self._valued: dict[int, list[tuple[int, int]]] = {}
        self._valued_up_to = 0
        self.texts: dict[Line, str] = {}  # the source of lines, where it was saved with the recording
        self.saved_memory: list[Usage] | None = None
        self.numbers: dict[int, int] = {}  # of the nodes that live, by id
        self.forget = partial(_forget, self.numbers)  # what a `Reference` to a node does when that dies

    def __contains__(self, node: object) -> bool:
        """Whether a living node occurs in the recording."""
        return id(node) in self.numbers

    def known(self, node: object) -> Node | None:
        """The record of a living node; None if the recording has none."""
        number = self.numbers.get(id(node))
        return None if number is None else self.all_nodes[number - 1]

    def name(self, number: int, name: str, by: int) -> None:
        """Give a node a name, by the latest event, unless it has a better one."""
        flat, behind = self.all_nodes.flat, number * NODE_WIDTH
        if flat[behind + NAMED_BY] <= by:
            flat[behind + NAME], flat[behind + NAMED_BY] = name, by
            flat[behind + NAMED_AT] = len(self.events.flat) // WIDTH - 1

    # Which nodes and events -------------------------------------------------------------------------------------------

    def node(self, which: Value | int | str) -> Node:
        """The record of a node.

        Raises
        ------
        LookupError
            If the recording has no such node.
        """
        if isinstance(which, Value):
            found = self.known(which)
            if found is None:
                raise LookupError("this tensor does not occur in the recording")
            return found
        if isinstance(which, str):
            named = [node for node in self.all_nodes if node.name == which]
            if not named:
                raise LookupError(f"no node of the recording has the name {which!r}")
            return named[-1]
        if not 1 <= which <= len(self.all_nodes):
            raise LookupError(f"there is no node #{which}: the recording has #1 to #{len(self.all_nodes)}")
        return self.all_nodes[which - 1]

    def nodes(self, op: str | None = None, name: str | None = None) -> Listing:
        """List the nodes whose op is of the class `op`, and whose name is `name`, where given."""
        return Listing(
            node for node in self.all_nodes if (op is None or node.op == op) and (name is None or node.name == name)
        )

    def at(self, line: str) -> Listing:
        """List the events of a line, such as ``"train.py:31"``: the user's line, or one of those that it called.

        Raises
        ------
        ValueError
            If `line` is not of this form.
        """
        filename, colon, number = line.rpartition(":")
        if not (colon and number.isdigit()):
            raise ValueError(f"at: a line is given as 'train.py:31', not as {line!r}")
        wanted = Path(filename).parts

        def is_there(at: Line) -> bool:
            return at.number == int(number) and Path(at.filename).parts[-len(wanted) :] == wanted

        return Listing(e for e in self.events if any(map(is_there, (e.place.user, *e.place.library))))

    def why(self, which: Value | int | str) -> Listing:
        """List the nodes that a node was made from, however indirectly, leaves first, and the node itself at the end.

        Raises
        ------
        LookupError
            If the recording has no such node.
        """
        wanted, stack = set[int](), [self.node(which).number]
        while stack:
            number = stack.pop()
            if number not in wanted:
                wanted.add(number)
                stack += self.all_nodes[number - 1].inputs
        order = sorted(wanted, key=lambda number: (number == self.node(which).number, number))
        return Listing((self.all_nodes[number - 1] for number in order), show=self._with_source)

    def who_needs(self, which: Value | int | str) -> Listing:
        """List the nodes that a node is an input of.

        Raises
        ------
        LookupError
            If the recording has no such node.
        """
        number = self.node(which).number
        return Listing(node for node in self.all_nodes if number in node.inputs)

    def source(self, line: Line) -> str:
        """The source text of a line; empty where there is none."""
        return self.texts.get(line, "") or line.text

    def _with_source(self, node: Node) -> str:
        return f"{node}  {self.source(node.place.user)}".rstrip()

    @property
    def valued(self) -> dict[int, list[tuple[int, int]]]:
        """By node: since which event it had which value. It is looked up when it is asked for, not while recording."""
        new = self.events.flat[self._valued_up_to * WIDTH :]
        for index, (node, value) in enumerate(zip(new[NODE::WIDTH], new[VALUE::WIDTH]), self._valued_up_to):
            if value is not None:
                self._valued.setdefault(node, []).append((index, value))
        self._valued_up_to += len(new) // WIDTH  # another thread may have gone on meanwhile
        return self._valued

    # Values -----------------------------------------------------------------------------------------------------------

    def value(self, which: Value | int | str, at: int | None = None) -> Any:
        """The value of a node, as a NumPy array or, of a TensorTuple, a tuple of them.

        Parameters
        ----------
        which : Tensor, int or str
        at : int, optional
            The index of an event: the value that the node had then; by default, that of the end.

        Raises
        ------
        LookupError
            If there is no such node, if it had no value then, or if the value was dropped.
        """
        slot = self._slot(self.node(which), at)
        array = self.ring.own(slot)
        if array is None:
            raise LookupError(
                f"the value of #{self.node(which).number} was dropped: the recording keeps {self.ring.limit} bytes of "
                f"values, the newest ones; record(keep=...) keeps more. Its statistics: {self.ring.statistics(slot)}"
            )
        return array

    def statistics(self, which: Value | int | str, at: int | None = None) -> Statistics:
        """Minimum, maximum, mean and so on of a node's value, which stay when the value is dropped.

        Raises
        ------
        LookupError
            If there is no such node, or if it had no value then.
        """
        return self.ring.statistics(self._slot(self.node(which), at))

    def _slot(self, node: Node, at: int | None) -> int:
        slots = [slot for index, slot in self.valued.get(node.number, ()) if at is None or index <= at]
        if not slots:
            when = "" if at is None else f" at event {at}"
            raise LookupError(f"#{node.number} {node.formula()} had no value{when}: it was not computed")
        return slots[-1]

    def adjoint(self, which: Value | int | str, at: int | None = None) -> Adjoint:
        """The shares of a node's adjoint that its consumers handed over in the last backward walk, and their sum.

        Parameters
        ----------
        which : Tensor, int or str
        at : int, optional
            The index of an event: the shares that had arrived then; by default, at the end.

        Raises
        ------
        LookupError
            If the recording has no such node.
        """
        node = self.node(which)
        shares = self.events.about("share", node.number)
        received = [self.events[index] for index in shares if at is None or index <= at]
        last = [event for event in received if event.walk == received[-1].walk]
        total: Any = None
        for event in last:
            if event.share is None:
                continue
            try:
                value = self.value(event.share)
            except LookupError:
                total = None
                break
            total = value if total is None else _sum(total, value)
        return Adjoint(node, Listing(last), total)

    # Memory -----------------------------------------------------------------------------------------------------------

    def memory(self) -> Listing:
        """List, by line, the tensors of the recording that are alive now, with their bytes: the largest first.

        A buffer that several tensors share counts once, where it appeared first. Of a recording that was loaded: what
        was alive when it was saved.
        """
        if self.saved_memory is not None:
            return Listing(self.saved_memory, _MEMORY_TITLE)
        lines: dict[Line, Usage] = {}
        buffers: set[int] = set()
        for node in self.all_nodes:
            value = None if node.ref is None else node.ref()
            if value is None:
                continue
            usage = lines.setdefault(node.place.user, Usage(node.place.user, 0, 0))
            usage.count += 1
            data = value.cached_data
            for array in data if isinstance(data, tuple) else (data,):
                buffer, nbytes = _buffer(array)
                if buffer not in buffers:
                    buffers.add(buffer)
                    usage.nbytes += nbytes
        return Listing(sorted(lines.values(), key=lambda usage: -usage.nbytes), _MEMORY_TITLE)

    # Two recordings, and files ----------------------------------------------------------------------------------------

    def diff(self, other: Trace) -> Difference:
        """What differs between two recordings, say of two steps of training; see `needle.debug.comparing`."""
        from .comparing import compare

        return compare(self, other)

    def save(self, path: str | Path) -> None:
        """Write the recording to a JSON file; of its values only those of at most 1000 elements.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        from .saving import save

        save(self, path)

    @staticmethod
    def load(path: str | Path) -> Trace:
        """Read a recording that `save` wrote.

        Raises
        ------
        ValueError
            If the file is damaged, or none of these.
        OSError
            If it cannot be read.
        """
        from .saving import load

        return load(path)

    # Display ----------------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"Trace({len(self.events)} events, {len(self.all_nodes)} nodes, {self.ring.used} bytes of values)"

    def __str__(self) -> str:
        rows = [row(event.index, event.told(), str(event.place)) for event in self.events]
        return "\n".join([repr(self), row("event", "what", "where"), *shortened(rows, 60)])


_MEMORY_TITLE = "     bytes  tensors  line"


@dataclass(slots=True)
class Usage:
    """What is alive of the tensors of a line."""

    line: Line
    nbytes: int
    count: int

    def __str__(self) -> str:
        return f"{self.nbytes:10d}  {self.count:7d}  {self.line}"


@dataclass(slots=True)
class Adjoint:
    """The adjoint that a node received in a backward walk.

    Attributes
    ----------
    node : Node
    shares : list of Event
        One for each consumer and input; ``event.share`` is the node that holds the share.
    total : numpy.ndarray, tuple or None
        Their sum; None if nobody handed a share over, or if the value of one is not there any more.
    """

    node: Node
    shares: Listing
    total: Any

    def __str__(self) -> str:
        return "\n".join([f"adjoint of {self.node}", str(self.shares) or "no shares: nothing that was differentiated"])


def row(number: Any, what: str, where: str) -> str:
    """A line of a table of 80 columns."""
    return f"{number:>6}  {cut(what, 46):46}  {cut(where, 24)}".rstrip()


def _sum(a: Any, b: Any) -> Any:
    return tuple(x + y for x, y in zip(a, b)) if isinstance(a, tuple) else a + b


def _buffer(array: Any) -> tuple[int, int]:
    """What identifies the memory of an array, and its bytes."""
    if isinstance(array, np.ndarray):
        while isinstance(array.base, np.ndarray):
            array = array.base
        return id(array), array.nbytes
    if isinstance(array, NDArray):
        return array._handle.ptr(), array._handle.nbytes
    return id(array), bytes_of(array)
