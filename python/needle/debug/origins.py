"""Where nodes come from: the line that made a node and, in a backward pass, the node that is being differentiated."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, NamedTuple
from weakref import ReferenceType, WeakKeyDictionary, ref

from .. import places
from ..autograd import Op, Value
from ..display import of_op
from ..listening import Known, Listener, listeners
from ..places import Line, here, is_users, users_line
from ..reverse import adjoints
from .extension import trail

_GRADIENT = Op.gradient_as_tuple.__code__
_ADJOINTS = adjoints.__code__


class Source(NamedTuple):
    """The node whose adjoint is being handed on, or summed of its shares."""

    node: Any
    summing: bool


class Origin(NamedTuple):
    """How a node came to be: the user's line, and what it is part of if it belongs to a derivative.

    Attributes
    ----------
    user : Line
        The user's innermost line.
    op : str
        The op whose derivative this belongs to; empty in the forward pass.
    forward : Line or None
        The line of the forward pass that applied this op; None if it was not seen.
    gradient : Line or None
        The line in the library's ``gradient`` of the op; None if it is a student's, and so the user's line.
    summing : bool
        Whether this is part of the sum of the shares of an adjoint.
    """

    user: Line
    op: str = ""
    forward: Line | None = None
    gradient: Line | None = None
    summing: bool = False

    @property
    def line(self) -> Line:
        """The line of the forward pass that the work is done for."""
        return self.forward or self.user


class Origins:
    """The origin of each living node: a weak dictionary that takes a quarter of the time of `WeakKeyDictionary`.

    What is kept of dead nodes is dropped whenever their number may have become that of the living ones.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[ReferenceType[Value], Origin]] = {}
        self._changed: WeakKeyDictionary[Value, Line] = WeakKeyDictionary()
        self._limit = 1000
        self._here: dict[bytes, Origin] = {}  # by their trails

    def __setitem__(self, node: Value, origin: Origin) -> None:
        self._known[id(node)] = ref(node), origin
        if len(self._known) > self._limit:
            self._drop_dead()

    def _drop_dead(self) -> None:
        self._known = {key: entry for key, entry in self._known.items() if entry[0]() is not None}
        self._limit = max(1000, 2 * len(self._known))

    def made(self, node: Value, depth: int = 3) -> None:
        """`node` is made where the program is, for itself: so says a listener that is told so.

        The innermost `depth` frames are the library's: by default this one, that of the listener and of `announce`.
        """
        way = trail(sys._getframe(depth), None, places.opinion, is_users)
        origin = self._here.get(way)
        if origin is None:
            origin = Origin(users_line(depth + 1))
            if way is not None:
                self._here[way] = origin
        self._known[id(node)] = ref(node), origin
        if len(self._known) > self._limit:
            self._drop_dead()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, node: Value) -> Origin | None:
        """The origin of `node`; None if it is not known."""
        reference, origin = self._known.get(id(node), (None, None))
        return origin if reference is not None and reference() is node else None

    def known(self, node: Value) -> Known | None:
        """The line of `node`, as a listener tells it."""
        origin, changed = self.get(node), self._changed.get(node)
        if origin is None and changed is None:
            return None
        return Known(None if origin is None else origin.user, changed=changed)

    def replaced(self, node: Value) -> None:
        """The data of `node` was replaced, by the user's line where the program is."""
        self._changed[node] = users_line()


class Lines(Listener):
    """Keeps, for every node, the line that made it: what ``NEEDLE_DEBUG=1`` turns on for the whole program."""

    def __init__(self) -> None:
        self.origins = Origins()

    def made(self, node: Value, op: Op, inputs: tuple[Value, ...]) -> None:
        """Keep the line."""
        self.origins.made(node)

    def replaced(self, tensor: Value, before: Any) -> None:
        """Keep the line that changed it."""
        self.origins.replaced(tensor)

    def known(self, node: Value) -> Known | None:
        """The line that made it."""
        return self.origins.known(node)


def keep_lines() -> None:
    """Keep the line of every node from now on."""
    listeners.append(Lines())


def differentiated() -> Source | None:
    """The node that is being differentiated where the program is now; None outside of a derivative.

    The frames on the stack tell: `Op.gradient_as_tuple` asks an op for its gradient, `reverse.adjoints` sums shares.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code is _GRADIENT:
            return Source(frame.f_locals["node"], summing=False)
        if code is _ADJOINTS and "node" in frame.f_locals:
            return Source(frame.f_locals["node"], summing=True)
        frame = frame.f_back
    return None


def origin_here(origins: Origins) -> Origin:
    """How what is made now comes to be; `origins` tells of the nodes made before."""
    source = differentiated()
    if source is None:
        return Origin(users_line())
    place, known = here(), origins.get(source.node)
    op = "an output" if source.node.op is None else of_op(source.node.op)
    return Origin(place.user, op, None if known is None else known.line, place.gradient, source.summing)
