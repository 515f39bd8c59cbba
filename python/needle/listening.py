"""The door for those who watch: what happens to the graph is announced to whoever listens.

Debuggers, recorders and profilers are listeners (`needle.debug`). With nobody listening, the cost is one test of an
empty list where something could be announced. While somebody listens, compiled functions run as they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .places import Line

if TYPE_CHECKING:
    from .autograd import Op, Value


class Known(NamedTuple):
    """What a listener knows of a node.

    Attributes
    ----------
    line : Line or None
        The user's line that made it.
    number : int
        0 for none.
    name : str
        Empty for none.
    changed : Line or None
        The user's line that replaced its data last.
    """

    line: Line | None
    number: int = 0
    name: str = ""
    changed: Line | None = None


class Listener:
    """Is told what happens, when it has happened; a subclass overrides what it wants to hear.

    A listener may raise, which stops the program where it is. What it does itself is not announced.

    Attributes
    ----------
    allows_replays : bool
        Whether compiled functions may be replayed while it listens. It is not told then what happens within; it is
        asked what it makes of the outcome (`suspects`). Otherwise they run as they are.
    """

    allows_replays: bool = False

    def made(self, node: Value, op: Op, inputs: tuple[Value, ...]) -> None:
        """`op` was applied to `inputs`, which gave `node`: recorded, or in eager mode already computed.

        A node that requires no gradient does not keep its op and inputs.
        """

    def computed(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """The data of `node` is there; computing it took so many seconds."""

    def computed_and_made(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """Both at once, as in eager mode; by default they are told one after the other."""
        self.computed(node, op, inputs, seconds)
        self.made(node, op, inputs)

    def share(self, node: Value, share: Any, consumer: Value, position: int) -> None:
        """In a backward walk `consumer` handed `node`, its input `position`, a share of the adjoint (None for none)."""

    def all_shares(self, consumer: Value, shares: Sequence[Any]) -> None:
        """What `consumer` hands to all its inputs; by default each `share` is told, up to one that is no node."""
        for position, (x, share) in enumerate(zip(consumer.inputs, shares)):
            if share is not None and not hasattr(share, "cached_data"):
                return  # an error is about to say so
            self.share(x, share, consumer, position)

    def failed(self, error: Exception, op: Op, inputs: tuple[Value, ...], node: Value | None) -> None:
        """Computing `op` on `inputs` raised `error`; or its ``gradient`` for `node` did, or gave what does not fit."""

    def freed(self, node: Value) -> None:
        """A backward walk let go of the inputs of `node`."""

    def replaced(self, tensor: Value, before: Any) -> None:
        """`tensor` was given other data; `before` is the old array."""

    def entered(self, module: Any) -> None:
        """`module` is called."""

    def left(self, module: Any, output: Any) -> None:
        """The call of `module` has ended and gave `output`: None if it ended by an error."""

    def backward_began(self, outputs: Sequence[Value]) -> None:
        """A backward walk from `outputs` begins: of ``y.backward()``, of a functional derivative, or of a tape."""

    def backward_ended(self, outputs: Sequence[Value]) -> None:
        """It has ended, maybe by an error."""

    def stepped(self, optimizer: Any) -> None:
        """`optimizer` has changed its parameters."""

    def suspects(self, outcome: Sequence[Any]) -> bool:
        """Whether a replay that gave these arrays is to be undone, and its function run as it is, and told."""
        return False

    def known(self, node: Value) -> Known | None:
        """What the listener knows of `node`, for its `repr` and for errors; None if nothing."""
        return None


L = TypeVar("L", bound=Listener)

#: Everybody who listens, in all threads.
listeners: list[Listener] = []


#: The threads that are telling listeners something at present: a dict, since a set slows down as it forgets.
_telling: dict[int, None] = {}


def _only_this_thread_tells() -> None:
    for thread in set(_telling) - {get_ident()}:
        del _telling[thread]


if hasattr(os, "register_at_fork"):  # a child has none of the others, and may give their identities to new ones
    os.register_at_fork(after_in_child=_only_this_thread_tells)


def announce(event: str, *what: Any) -> None:
    """Tell all listeners; what they do meanwhile is not announced."""
    thread = get_ident()
    if thread in _telling:
        return
    _telling[thread] = None
    try:
        for listener in tuple(listeners):
            getattr(listener, event)(*what)
    finally:
        del _telling[thread]


def want_all() -> bool:
    """Whether somebody listens who has to be told everything, also what compiled functions do."""
    return any(not listener.allows_replays for listener in listeners)


@contextmanager
def telling() -> Iterator[None]:
    """Within the block, what a listener does is announced after all: it acts for the user, not for itself."""
    thread = get_ident()
    was_telling = thread in _telling
    _telling.pop(thread, None)
    try:
        yield
    finally:
        if was_telling:
            _telling[thread] = None


@contextmanager
def listening(listener: L) -> Iterator[L]:
    """Within the block, `listener` is told; it may leave before."""
    listeners.append(listener)
    try:
        yield listener
    finally:
        leave(listener)


def leave(listener: Listener) -> None:
    """From now on `listener` is told nothing."""
    if listener in listeners:
        listeners.remove(listener)


@contextmanager
def walking(outputs: Sequence[Value]) -> Iterator[None]:
    """Announce the beginning and the end of a backward walk, if somebody listens."""
    if not listeners:
        yield
        return
    announce("backward_began", outputs)
    try:
        yield
    finally:
        announce("backward_ended", outputs)


def call_announced(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call ``module.forward``, and announce that the module is entered and left."""
    announce("entered", module)
    output = None
    try:
        output = module.forward(*args, **kwargs)
    finally:
        announce("left", module, output)
    return output


def known(node: Value) -> Known | None:
    """What those who listen know of `node`; None if nobody knows it."""
    for listener in reversed(listeners):
        facts = listener.known(node)
        if facts is not None:
            return facts
    return None


def made_at(node: Value) -> str:
    """Where the forward pass made `node`, for an error in its derivative; how to get to know it, if nobody knows."""
    facts = known(node)
    if facts is None or facts.line is None:
        return " (NEEDLE_DEBUG=1 tells which line of the forward pass made it)"
    source = f": {facts.line.text}" if facts.line.text else ""
    return f" (forward pass: {facts.line} in {facts.line.function}{source})"


def add_place(error: Exception, node: Value) -> None:
    """Add to an error that was raised by the derivative of `node` where the forward pass made it."""
    said = "".join(map(str, [error, *getattr(error, "__notes__", ())]))
    if "in the derivative of" in said:  # a derivative within this one
        return
    note = f"in the derivative of {type(node.op).__name__}{made_at(node)}"
    if hasattr(error, "add_note"):
        error.add_note(note)
    elif error.args and isinstance(error.args[0], str):  # Python 3.10
        error.args = (f"{error.args[0]}\n{note}", *error.args[1:])
