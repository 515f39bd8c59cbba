"""What making a node means: the stack of interpreters, lazy mode, and whether gradients are wanted.

`Value.make_from_op` asks `modes`, and the flag ``autograd.LAZY_MODE``. With no interpreter on the stack a node is
computed as it is made (eager mode). Each thread has its own modes: what a function hands to other threads is not seen
by the interpreters of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from .backend_selection import settled, stamp, stamps
from .listening import announce, listeners

if TYPE_CHECKING:
    from .autograd import Op, V, Value


class Interpreter(Protocol):
    """Decides what making a node means."""

    def make(self, kind: type[V], op: Op, inputs: tuple[Value, ...]) -> V:
        """Give the node, of class `kind`, for `op` applied to `inputs`."""


class _Modes(threading.local):
    interpreters: tuple[Interpreter, ...] = ()
    grad_enabled: bool = True
    differentiating: int = 0  # how many gradients somebody is about to ask for of what is computed now
    constant: tuple[Interpreter, ...] = ()  # those to whom nothing that is made now depends on anything


modes = _Modes()


@contextmanager
def interpreting(interpreter: Interpreter) -> Iterator[Interpreter]:
    """Within the block, `interpreter` makes the nodes."""
    before = modes.interpreters
    modes.interpreters = (*before, interpreter)
    try:
        yield interpreter
    finally:
        modes.interpreters = before


@contextmanager
def below(interpreter: Interpreter) -> Iterator[None]:
    """Within the block, the interpreters that came before `interpreter` make the nodes: how one hands work on."""
    before = modes.interpreters
    modes.interpreters = before[: before.index(interpreter)]
    try:
        yield
    finally:
        modes.interpreters = before


@contextmanager
def differentiating() -> Iterator[None]:
    """Within the block graphs are kept, for a gradient that will be asked for: compiled functions run as they are."""
    modes.differentiating += 1
    try:
        with keeping_graph(True):
            yield
    finally:
        modes.differentiating -= 1


@contextmanager
def keeping_graph(wanted: bool) -> Iterator[None]:
    """Within the block, results keep a graph, or none: how they were made, for reverse mode. Forward mode goes on."""
    before = modes.grad_enabled
    modes.grad_enabled = wanted
    try:
        yield
    finally:
        modes.grad_enabled = before


@contextmanager
def _grad(enabled: bool, constant: tuple[Interpreter, ...]) -> Iterator[None]:
    before = modes.constant
    modes.constant = constant
    try:
        with keeping_graph(enabled):
            yield
    finally:
        modes.constant = before


def no_grad() -> AbstractContextManager[None]:
    """Within the block (or the decorated function), results are constants: they keep no graph and have no tangent.

    A derivative that is taken within the block is not affected.
    """
    return _grad(False, modes.interpreters)


def enable_grad() -> AbstractContextManager[None]:
    """Within the block, undo an outer `no_grad`."""
    return _grad(True, ())


class Lazy:
    """The interpreter of lazy mode: a node is recorded, and computed when its data is asked for."""

    def make(self, kind: type[V], op: Op, inputs: tuple[Value, ...]) -> V:
        """Record the node. Its shape, dtype and device come from `Op.infer`, so a misfit raises here."""
        node = kind.__new__(kind)
        node.op = op
        node.inputs = inputs
        node.requires_grad = modes.grad_enabled and any(x.requires_grad for x in inputs)
        node.recorded_spec = op.infer(*[x.spec for x in inputs])
        node.stamps = stamps([*(x.cached_data for x in inputs), None])
        if listeners:
            announce("made", node, op, inputs)
        return node


LAZY = Lazy()


@contextmanager
def lazy_mode() -> Iterator[Interpreter]:
    """Within the block nodes are recorded, not computed: ``with ndl.lazy_mode(): ...``.

    It goes below all other interpreters: they say what is to be computed, lazy mode says when.
    """
    before = modes.interpreters
    modes.interpreters = (LAZY, *before)
    try:
        yield LAZY
    finally:
        modes.interpreters = before


def realize(value: Value) -> None:
    """Compute `value`, and before it whatever it needs that is not computed yet: each node once, without recursion."""
    stack = [value]
    while stack:
        node = stack[-1]
        waiting = [x for x in node.inputs if x.cached_data is None]
        if waiting:
            stack += waiting
        else:
            stack.pop()
            if node.cached_data is None:
                _compute(node)


def _compute(node: Value) -> None:
    """Compute one recorded node whose inputs have their data."""
    if node.op is None:
        if node.cached_data is not None:  # another thread was faster
            return
        from .batching import is_example

        if is_example(node):
            raise RuntimeError(
                f"within vmap a tensor stands for one example of a batch: it has a shape, here {node.shape}, but no "
                "values that could be read, branched on, or kept (as running statistics are)"
            )
        raise RuntimeError(
            "this value has neither data nor an op to compute it: was its graph freed, or is it an example of a batch, "
            "used outside of vmap?"
        )
    for position, (x, made_with) in enumerate(zip(node.inputs, node.stamps)):
        if stamp(x.cached_data) != (x.stamps[-1] if made_with is None else made_with):
            raise RuntimeError(
                f"{type(node.op).__name__}: the data of input {position} (shape {x.shape}) was replaced or written "
                "in place after this lazy node was made and before it was computed; compute the node first"
            )
    arrays = [x.cached_data for x in node.inputs]
    start = perf_counter()
    node.cached_data = settled(node.op.compute(*arrays))
    seconds = perf_counter() - start
    node.stamps = stamps([*arrays, node.cached_data])
    if listeners:
        announce("computed", node, node.op, node.inputs, seconds)
    if not node.requires_grad:
        node.op, node.inputs, node.stamps = None, (), node.stamps[-1:]
