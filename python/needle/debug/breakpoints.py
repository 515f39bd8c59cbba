"""Breakpoints on the events of a graph: ``op=MatMul``, ``backward op=MatMul``, ``grad-shape``, ``train.py:31``."""

from __future__ import annotations

import re
import shlex
from ast import literal_eval
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..autograd import Op
from .records import Event
from .trace import Trace

Condition = Callable[[Trace, Event], bool]

SYNTAX = """a condition is one of
  op=MatMul          a node of this op is made or computed
  name=logits        the same, of the node of this name; or its data is replaced
  shape=(100,10)     the same, of a node of this shape
  module=modules.0   something happens within this module
  train.py:31        something happens at this line
  nan, inf           a value, a share of an adjoint, or new data holds one
  grad>1e3, grad<X   a share of an adjoint has such a largest element
  grad-shape         a share of an adjoint has not the shape that it should have
  error              computing a node failed, or an operator's gradient did
  stepped, replaced  an optimizer has stepped; data was replaced
Several must hold together. With `backward` in front they are asked of adjoints:
backward op=MatMul, of those that this op hands on; backward name=w, of those
that this node receives."""

#: Events in which a node comes to be.
_MAKING = ("made", "computed")


@dataclass
class Breakpoint:
    """Where the program is to stop.

    Attributes
    ----------
    number : int
    text : str
        As it was given.
    conditions : tuple of callable
        Of a recording and an event; all must hold.
    hits : int
        How often the program stopped here.
    temporary : bool
        Whether it goes with its first hit.
    """

    number: int
    text: str
    conditions: tuple[Condition, ...]
    hits: int = 0
    temporary: bool = False

    def matches(self, trace: Trace, event: Event) -> bool:
        """Whether `event` is one to stop at."""
        return all(holds(trace, event) for holds in self.conditions)

    def __str__(self) -> str:
        times = "" if not self.hits else f", hit {self.hits} time{'s' * (self.hits > 1)}"
        return f"{self.number}: {self.text}{times}"


def conditions_of(text: str) -> tuple[Condition, ...]:
    """Read what ``break`` is given.

    Raises
    ------
    ValueError
        If it is no condition; the message lists those there are.
    """
    words = shlex.split(text)
    backward = words[:1] == ["backward"]
    words = words[1:] if backward else words
    if not words and not backward:
        raise ValueError(SYNTAX)
    conditions = [_condition(word, backward) for word in words]
    return (*conditions, _is_share) if backward else tuple(conditions)


def doubts(text: str) -> list[str]:
    """What makes it unlikely that a breakpoint is ever met: an op that nobody has defined yet."""
    names = [word.removeprefix("op=") for word in shlex.split(text) if word.startswith("op=")]
    known, classes = set[str](), [Op]
    while classes:
        kind = classes.pop()
        known.add(kind.__name__)
        classes += kind.__subclasses__()
    return [f"there is no operator {name} so far" for name in names if name not in known]


def _condition(word: str, backward: bool) -> Condition:
    key, equals, value = word.partition("=")
    if equals and key in ("op", "name", "module", "shape") and value:
        if key == "shape":
            return _shape(value, backward)
        return {"op": _op, "name": _name, "module": _module}[key](value, backward)
    if word in _WORDS:
        return _WORDS[word]
    size = re.fullmatch(r"grad([<>])(.+)", word)
    if size:
        return _size(size[1], size[2])
    filename, colon, number = word.rpartition(":")
    if colon and number.isdigit() and filename:
        return _line(filename, int(number))
    raise ValueError(f"{word!r} is no condition; {SYNTAX}")


def _is_share(trace: Trace, event: Event) -> bool:
    return event.kind == "share"


def _op(op: str, backward: bool) -> Condition:
    if backward:
        return lambda trace, event: event.op == op
    return lambda trace, event: event.kind in _MAKING and event.op == op and event.walk is None


def _name(name: str, backward: bool) -> Condition:
    def holds(trace: Trace, event: Event) -> bool:
        if event.node is None or trace.node(event.node).name != name:
            return False
        if event.kind == "left":  # which of the nodes of a model has the name is known when the model is left
            return trace.node(event.node).named_at == event.index
        return backward or event.kind in (*_MAKING, "replaced")

    return holds


def _module(path: str, backward: bool) -> Condition:
    return lambda trace, event: event.module == path or event.module.startswith(path + ".")


def _shape(text: str, backward: bool) -> Condition:
    try:
        shape = literal_eval(text)
    except (ValueError, SyntaxError):
        shape = None
    if not isinstance(shape, tuple) or not all(isinstance(extent, int) for extent in shape):
        raise ValueError(f"a shape is a tuple of numbers, such as shape=(100,10), not {text!r}")

    def holds(trace: Trace, event: Event) -> bool:
        kind = event.kind in _MAKING and event.walk is None
        return (kind or backward) and event.node is not None and trace.node(event.node).shape == shape

    return holds


def _line(filename: str, number: int) -> Condition:
    """Whether this is where the program comes to the line.

    Events tell of the instruction that the user's frame is at. So it comes to the line if the event before was of
    another line, if it is back at an earlier instruction, or if the same instruction makes the same again.
    """
    wanted = Path(filename).parts

    def is_there(event: Event) -> bool:
        lines = (event.place.user, *event.place.library)
        return any(x.number == number and Path(x.filename).parts[-len(wanted) :] == wanted for x in lines)

    def holds(trace: Trace, event: Event) -> bool:
        if event.kind in _SILENT or not is_there(event):
            return False
        before = event.index - 1
        while before >= 0 and (trace.events[before].kind in _SILENT or _is_half(trace.events[before], event)):
            before -= 1
        if before < 0 or not is_there(trace.events[before]):
            return True
        last = trace.events[before]
        if event.place.instruction != last.place.instruction:
            return event.place.instruction < last.place.instruction
        outside = event.walk is None and event.module == "" and event.kind in ("made", "computed", "entered")
        return outside and (event.kind == "entered" or event.place == last.place)

    return holds


_SILENT = ("seen", "written", "freed", "left")


def _is_half(event: Event, following: Event) -> bool:
    """Whether a node was computed that is made right afterwards: eager mode."""
    return event.kind == "computed" and following.kind == "made" and event.node == following.node


def _arrays(trace: Trace, event: Event) -> list[Any]:
    """What an event brings: the value that was computed or replaced, or the share of the adjoint."""
    node = event.share if event.kind == "share" else event.node
    if node is None or event.kind not in ("computed", "replaced", "written", "share"):
        return []
    try:
        value = trace.value(node, event.index)
    except LookupError:
        return []
    return [*value] if isinstance(value, tuple) else [value]


def _holds_nan(trace: Trace, event: Event) -> bool:
    return any(array.dtype.kind == "f" and bool(np.isnan(array).any()) for array in _arrays(trace, event))


def _holds_inf(trace: Trace, event: Event) -> bool:
    return any(array.dtype.kind == "f" and bool(np.isinf(array).any()) for array in _arrays(trace, event))


def _size(sign: str, text: str) -> Condition:
    try:
        limit = float(text)
    except ValueError:
        raise ValueError(f"grad{sign} takes a number, not {text!r}") from None

    def holds(trace: Trace, event: Event) -> bool:
        arrays = _arrays(trace, event) if event.kind == "share" else []
        largest = max((float(np.abs(array).max()) for array in arrays if array.size), default=None)
        return largest is not None and (largest > limit if sign == ">" else largest < limit)

    return holds


def misfit(trace: Trace, event: Event) -> bool:
    """Whether a share of an adjoint has not the shape of what it is the gradient of."""
    if event.kind != "share" or event.share is None or event.node is None:
        return False
    return trace.node(event.share).shape != trace.node(event.node).shape


def of_node(number: int) -> Condition:
    """Whatever happens to a node, is made of it, or is handed on by it."""

    def holds(trace: Trace, event: Event) -> bool:
        return event.kind not in ("seen", "left") and number in (event.node, event.consumer, *event.inputs)

    return holds


def _of_kind(kind: str) -> Condition:
    return lambda trace, event: event.kind == kind


_WORDS: dict[str, Condition] = {
    "nan": _holds_nan,
    "inf": _holds_inf,
    "grad-shape": misfit,
    "error": _of_kind("failed"),
    "stepped": _of_kind("stepped"),
    "replaced": _of_kind("replaced"),
}
