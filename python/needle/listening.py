"""The door for those who watch: what happens to the graph is announced to whoever listens.

Debuggers, recorders and profilers are listeners (`needle.debug`). With nobody listening, the cost is one test of an
empty list where something could be announced. While somebody listens, compiled functions run as they are.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .backend_selection import settled, stamps

if TYPE_CHECKING:
    from .autograd import Op, V, Value


class Listener:
    """Is told what happens, when it has happened; a subclass overrides what it wants to hear.

    A listener may raise, which stops the program where it is. What it does itself is not announced.
    """

    def made(self, node: Value, op: Op, inputs: tuple[Value, ...]) -> None:
        """`op` was applied to `inputs`, which gave `node`: recorded, and in eager mode already computed.

        A node that requires no gradient does not keep its op and inputs.
        """

    def computed(self, node: Value, op: Op, inputs: tuple[Value, ...], seconds: float) -> None:
        """The data of `node` is there; computing it took so long. In eager mode this comes before `made`."""

    def share(self, node: Value, share: Any, consumer: Value, position: int) -> None:
        """In a backward walk `consumer` handed `node`, its input `position`, a share of the adjoint (None for none)."""

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


#: Everybody who listens, in all threads.
listeners: list[Listener] = []


class _Busy(threading.local):
    telling: bool = False


_busy = _Busy()


def announce(event: str, *what: Any) -> None:
    """Tell all listeners; what they do meanwhile is not announced."""
    if _busy.telling:
        return
    _busy.telling = True
    try:
        for listener in tuple(listeners):
            getattr(listener, event)(*what)
    finally:
        _busy.telling = False


@contextmanager
def listening(listener: Listener) -> Iterator[Listener]:
    """Within the block, `listener` is told."""
    listeners.append(listener)
    try:
        yield listener
    finally:
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


class Announced:
    """Eager mode while somebody listens: what `Value.make_from_op` does by itself, and told."""

    def make(self, kind: type[V], op: Op, inputs: tuple[Value, ...]) -> V:
        """Compute the node."""
        from .modes import modes

        arrays = [x.realize_cached_data() for x in inputs]
        node = kind.__new__(kind)
        start = perf_counter()
        node.cached_data = settled(op.compute(*arrays))
        seconds = perf_counter() - start
        node.requires_grad = modes.grad_enabled and any(x.requires_grad for x in inputs)
        if node.requires_grad:
            node.op, node.inputs, node.stamps = op, inputs, stamps([*arrays, node.cached_data])
        announce("computed", node, op, inputs, seconds)
        announce("made", node, op, inputs)
        return node


ANNOUNCED = Announced()
