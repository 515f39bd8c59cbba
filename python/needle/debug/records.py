"""What a recording is made of: events and nodes, as plain records that hold no part of the graph."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from ..display import in_words
from ..places import Place

#: All kinds of events. `seen`: a node that was there before appears; `written`: its data was changed in place since.
KINDS = (
    "seen",
    "made",
    "computed",
    "share",
    "failed",
    "freed",
    "replaced",
    "written",
    "entered",
    "left",
    "backward_began",
    "backward_ended",
    "stepped",
)


@dataclass(slots=True, repr=False)
class Event:
    """Something that happened.

    Attributes
    ----------
    index : int
        Its position in ``trace.events``.
    kind : str
        One of `KINDS`.
    place : Place
        The user's line, and the lines of the library that were called from there.
    node : int or None
        The number of the node it is about: for a share, the node that receives it; for `left`, what the module gave.
    op : str
        The class of the op of the node that was made or computed; of a share, that of the consumer.
    inputs : tuple of int
        Of a node that was made or computed.
    value : int or None
        Which recorded value the node has from here on; ``trace.value(node, at=index)`` gives it.
    seconds : float or None
        How long computing took.
    nbytes : int or None
        How many bytes were computed, or are the new data.
    share : int or None
        The node that is the share; None also if the consumer's gradient has none for this input.
    consumer : int or None
        The node that handed the share to one of its inputs, and `position`, which one.
    position : int or None
    walk : int or None
        Within a backward walk: the index of the event with which the walk began.
    module : str
        The path of the module within which it happened, or which is entered or left; ``""`` for the outermost.
    what : str
        The class of the module or optimizer; of a failure, the error.
    """

    index: int
    kind: str
    place: Place
    node: int | None = None
    op: str = ""
    inputs: tuple[int, ...] = ()
    value: int | None = None
    seconds: float | None = None
    nbytes: int | None = None
    share: int | None = None
    consumer: int | None = None
    position: int | None = None
    walk: int | None = None
    module: str = ""
    what: str = ""

    def __str__(self) -> str:
        return f"{self.index:6d}  {self.told()}  at {self.place}"

    def __repr__(self) -> str:
        return f"<event {str(self).strip()}>"

    def told(self) -> str:
        """What happened, in a few words, without its place."""
        number = "" if self.node is None else f"#{self.node}"
        if self.kind in ("made", "computed"):
            took = "" if self.seconds is None else f" in {self.seconds * 1e6:.0f} us, {self.nbytes} bytes"
            return f"{self.kind} {number} = {self.op}({', '.join(f'#{i}' for i in self.inputs)}){took}"
        if self.kind == "share":
            given = "no share" if self.share is None else f"share #{self.share}"
            return f"{given} for {number} from #{self.consumer} {self.op}, input {self.position}"
        if self.kind == "failed":
            part = "" if self.node is None else f"gradient of {number} "
            return f"{part}{self.op}({', '.join(f'#{i}' for i in self.inputs)}) failed: {self.what}"
        if self.kind in ("entered", "left"):
            return f"{self.kind} {self.what} {self.module}".rstrip()
        return f"{self.kind} {number or self.what}".replace("_", " ")


@dataclass(slots=True, repr=False)
class Node:
    """A node of the graph as it was recorded.

    Attributes
    ----------
    number : int
        Nodes are numbered in the order in which they appeared, from 1.
    kind : str
        Tensor, Parameter or TensorTuple.
    op : str
        The class of its op; empty for a leaf, and for a node that was there before and keeps none.
    attributes : str
        Those of the op, such as ``axes=(1,)``.
    inputs : tuple of int
        What it was made from.
    shape : tuple
    dtype : str
    place : Place
        Where it was made, or, if it was there before, where it first appeared.
    made : bool
        Whether it was made in the recording.
    requires_grad : bool
    module : str
        The path of the module within which it was made.
    name : str
        Empty if it has none.
    since, named_at : int
        The index of the event with which it appeared, and of that with which a variable gave it its name.
    """

    number: int
    kind: str
    op: str
    attributes: str
    inputs: tuple[int, ...]
    shape: tuple[Any, ...]
    dtype: str
    place: Place
    made: bool
    requires_grad: bool
    module: str = ""
    name: str = ""
    since: int = 0
    named_by: int = 0
    named_at: int = 0
    ref: weakref.ref[Any] | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.described()}  at {self.place}"

    def __repr__(self) -> str:
        return f"<node {self}>"

    def described(self) -> str:
        """What it is, without its place."""
        name = f" {self.name!r}" if self.name else ""
        return f"#{self.number}{name} {self.shape} {self.dtype} = {self.formula()}"

    def formula(self) -> str:
        """Its op and inputs, or what kind of leaf it is."""
        if not self.op:
            return self.kind
        return f"{self.op}({', '.join([*(f'#{i}' for i in self.inputs), *filter(None, [self.attributes])])})"


R = TypeVar("R", Event, Node)


class Records(Sequence[R]):
    """The events of a recording, or its nodes, in order.

    Kept in one flat list, `width` entries each, they become an `Event` or a `Node` when somebody looks: many thousand
    objects would cost the program more for the garbage collector than for writing them down. What is looked at is a
    copy.
    """

    def __init__(self, of: type[R], first: int) -> None:
        self.flat: list[Any] = []
        self._of: type[R] = of
        self._first = first
        self.width = len(of.__slots__) - 1  # but for its number, which is `first` and so on

    def take(self, record: R) -> None:
        """Append a record."""
        self.flat += (getattr(record, name) for name in self._of.__slots__[1:])

    def _at(self, index: int) -> R:
        row = self.flat[index * self.width : (index + 1) * self.width]
        record: R = self._of(index + self._first, *row)
        return record

    def __len__(self) -> int:
        return len(self.flat) // self.width

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> Listing: ...
    def __getitem__(self, index: int | slice) -> R | Listing:
        if isinstance(index, slice):
            return Listing(map(self._at, range(*index.indices(len(self)))))
        return self._at(range(len(self))[index])

    def __iter__(self) -> Iterator[R]:
        return map(self._at, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return str(Listing(self))

    def __repr__(self) -> str:
        return repr(Listing(self))


#: The entries of an event: those of `Event` without the index, and `walk` and `module` as one.
KIND, PLACE, NODE, VALUE = 0, 1, 2, 5
WIDTH = len(Event.__slots__) - 2


class Events(Records[Event]):
    """The events of a recording, by index from 0.

    A row holds `walk` and `module` as one entry, since both change seldom.
    """

    def __init__(self) -> None:
        super().__init__(Event, 0)
        self.width = WIDTH

    def take(self, record: Event) -> None:
        """Append a record."""
        *row, walk, module, what = (getattr(record, name) for name in Event.__slots__[1:])
        self.flat += (*row, (walk, module), what)

    def _at(self, index: int) -> Event:
        row = self.flat[index * WIDTH : (index + 1) * WIDTH]
        row[-2:-1] = row[-2]
        return Event(index, *row)

    def place_at(self, index: int) -> Place:
        """Where an event happened."""
        return self.flat[index * WIDTH + PLACE]  # type: ignore[no-any-return]

    def move(self, index: int, place: Place) -> None:
        """Say of an event that it happened elsewhere."""
        self.flat[index * WIDTH + PLACE] = place

    def about(self, kind: str, node: int) -> list[int]:
        """The indices of the events of a kind about a node."""
        told = zip(self.flat[KIND::WIDTH], self.flat[NODE::WIDTH])
        return [index for index, (of, about) in enumerate(told) if about == node and of == kind]


#: The entries of a node: those of `Node` without the number; counted from behind, since numbers begin at 1.
NODE_WIDTH = len(Node.__slots__) - 1
NAME, NAMED_BY, NAMED_AT = (Node.__slots__.index(x) - len(Node.__slots__) for x in ("name", "named_by", "named_at"))


class Nodes(Records[Node]):
    """The nodes of a recording, by number from 1."""

    def __init__(self) -> None:
        super().__init__(Node, 1)

    def _at(self, index: int) -> Node:
        node = super()._at(index)
        node.attributes = in_words(node.attributes)
        return node

    def change(self, number: int, **fields: Any) -> None:
        """Change what is known of a node."""
        for name, value in fields.items():
            self.flat[number * NODE_WIDTH + Node.__slots__.index(name) - len(Node.__slots__)] = value


class Listing(list[Any]):
    """A list that prints one record a line, at most 40 of them: the first and the last."""

    def __init__(self, records: Iterable[Any] = (), title: str = "", show: Callable[[Any], str] = str) -> None:
        super().__init__(records)
        self.title = title
        self.show = show

    def __str__(self) -> str:
        lines = shortened([self.show(record) for record in self], 40)
        return "\n".join([self.title, *lines] if self.title else lines)


def shortened(lines: list[str], most: int) -> list[str]:
    """The first and the last lines, and between them how many were left out."""
    if len(lines) <= most:
        return lines
    half = most // 2
    return [*lines[:half], f"   ... {len(lines) - 2 * half} more ...", *lines[-half:]]


def cut(text: str, width: int) -> str:
    """`text`, shortened to `width` columns."""
    return text if len(text) <= width else text[: width - 3] + "..."
