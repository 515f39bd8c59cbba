"""What the terminal shows of a recording: events, nodes, values, source lines, the neighbourhood of a node."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..places import Line
from .records import Event, Node, cut
from .trace import Trace
from .values import statistics_of

WIDTH = 80


class Palette:
    """Colours, where the terminal has them."""

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted

    def __call__(self, text: str, colour: str) -> str:
        """Paint `text`: "bold", "dim", "red", "green", "yellow", "blue", "cyan"."""
        codes = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34, "cyan": 36}
        return f"\033[{codes[colour]}m{text}\033[0m" if self.wanted and text else text


def headline(event: Event, trace: Trace) -> list[str]:
    """What happened, in one or two lines, for the place where the program stands."""
    module = f" in {event.module}" if event.module and event.kind not in ("entered", "left") else ""
    if event.kind in ("made", "computed") and event.node is not None:
        return [f"{event.kind} {trace.node(event.node).described()}{module}"]
    if event.kind == "share":
        return _share(event, trace)
    if event.kind in ("backward_began", "backward_ended"):
        outputs = ", ".join(label(trace.node(number)) for number in event.inputs)
        return [f"backward of {outputs} {'begins' if event.kind == 'backward_began' else 'has ended'}"]
    if event.kind in ("entered", "left"):
        return [f"{event.kind} {event.what} {event.module}".rstrip()]
    if event.kind == "failed":
        inputs = ", ".join(f"{label(trace.node(number))} {trace.node(number).shape}" for number in event.inputs)
        derived = "" if event.node is None else f"the gradient of {label(trace.node(event.node))} "
        return [f"{derived}{event.op}({inputs}) failed", f"  {event.what}"]
    if event.kind == "stepped":
        return [f"{event.what} has changed its parameters"]
    node = label(trace.node(event.node)) if event.node is not None else event.what
    what = {"replaced": "got other data", "written": "was written in place", "seen": "was there before"}
    return [f"{node} {what.get(event.kind, event.kind)}{module}"]


def _share(event: Event, trace: Trace) -> list[str]:
    consumer, receiver = trace.node(event.consumer or 0), trace.node(event.node or 0)
    source = "" if not consumer.made else f", made at {consumer.place.user}"
    lines = [f"{label(consumer)} {consumer.op}{source}"]
    if event.share is None:
        return [*lines, f"  hands no adjoint to its input {event.position}, {label(receiver)}"]
    share = trace.node(event.share)
    given = f"the adjoint #{share.number} {share.shape}"
    lines.append(f"  hands its input {event.position}, {label(receiver)} {receiver.shape}, {given}")
    if share.shape != receiver.shape:
        lines.append(f"  which does not fit: {share.shape} for an input of shape {receiver.shape}")
    return lines


def label(node: Node) -> str:
    """The number of a node, and its name if it has one."""
    return f"#{node.number} {node.name!r}" if node.name else f"#{node.number}"


def statistics(trace: Trace, number: int, at: int | None) -> str:
    """What is known of a node's value at an event, in a line."""
    try:
        return str(trace.statistics(number, at))
    except LookupError:
        return "not computed"


def summed(total: Any) -> str:
    """Statistics of a sum of adjoints, which is None if a part of it was dropped."""
    return "not kept" if total is None else str(statistics_of(total))


def corners(array: np.ndarray) -> str:
    """An array, of which at most the corners are printed."""
    with np.printoptions(threshold=60, edgeitems=2, linewidth=WIDTH - 4, precision=4, suppress=True):
        return str(array)


def source(line: Line, trace: Trace, around: int = 5, mark: str = "->") -> list[str]:
    """The source around a line, which is marked; of a recording that was loaded, that line alone."""
    text = linecache.getlines(line.filename)
    if not text:
        known = trace.source(line)
        return [f"{line.number:5d} {mark} {known}"] if known else [f"the source of {line.filename} is not there"]
    first, last = max(1, line.number - around), min(len(text), line.number + around)
    return [
        f"{number:5d} {mark if number == line.number else '  '} {text[number - 1].rstrip()}"
        for number in range(first, last + 1)
    ]


def neighbourhood(trace: Trace, which: Node, at: int, depth: int = 2) -> list[str]:
    """A node between what it was made from (above) and what was made of it (below), at an event."""
    lines = [*_tree(trace, which, depth, "", _inputs)]
    above = [f"    {line}" for line in reversed([_flipped(line) for line in lines])]
    below = [f"    {line}" for line in _tree(trace, which, depth, "", lambda t, n: _consumers(t, n, at))]
    return [*above, f"==> {which.described()}", *below]


def _tree(
    trace: Trace, node: Node, depth: int, margin: str, next_of: Callable[[Trace, Node], list[Node]]
) -> Iterator[str]:
    if not depth:
        return
    others = next_of(trace, node)
    for i, other in enumerate(others[:6]):
        is_last = i == min(len(others), 6) - 1
        yield f"{margin}{'└─ ' if is_last else '├─ '}{cut(other.described(), 72 - len(margin))}"
        yield from _tree(trace, other, depth - 1, margin + ("   " if is_last else "│  "), next_of)
    if len(others) > 6:
        yield f"{margin}   ... {len(others) - 6} more"


def _flipped(line: str) -> str:
    """A line of a tree that grows upwards."""
    return line.replace("└", "┌", 1)


def _inputs(trace: Trace, node: Node) -> list[Node]:
    return [trace.node(number) for number in dict.fromkeys(node.inputs)]


def _consumers(trace: Trace, node: Node, at: int) -> list[Node]:
    return [other for other in trace.who_needs(node.number) if other.since <= at]


def has_colours(stream: Any) -> bool:
    """Whether a stream is a terminal that shows colours."""
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def encodable(text: str, stream: Any) -> str:
    """`text` as a stream can print it."""
    encoding = getattr(stream, "encoding", None) or sys.getdefaultencoding()
    return text.encode(encoding, "replace").decode(encoding)
