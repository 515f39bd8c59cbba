"""A recording as one JSON file: everything but the large arrays."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ..places import Line, Place
from .records import KINDS, Event, Node
from .trace import Trace, Usage
from .values import Ring, Statistics

FORMAT = "needle recording"
VERSION = 1

#: Values of more elements are saved as statistics alone.
MOST_ELEMENTS = 1000


def save(trace: Trace, path: str | Path) -> None:
    """Write `trace` to the file `path`; what `Trace.save` does."""
    lines = _Lines(trace)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "keep": trace.ring.limit,
        "nodes": [_written(node, lines) for node in trace.all_nodes],
        "events": [_written(event, lines) for event in trace.events],
        "values": [_value_written(trace.ring, slot) for slot in range(len(trace.ring))],
        "memory": [[lines.index(u.line), u.nbytes, u.count] for u in trace.memory()],
    }
    document["lines"] = [[*line, trace.source(line)] for line in lines.numbers]
    Path(path).write_text(json.dumps(document, allow_nan=False), encoding="utf-8")


def load(path: str | Path) -> Trace:
    """Read a file that `save` wrote; what `Trace.load` does."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError("it is another kind of file")
        if document["version"] != VERSION:
            raise ValueError(f"it has version {document['version']}, and this Needle reads version {VERSION}")
        return _read(document)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is no recording that can be read, or is damaged: {error}") from error


class _Lines:
    """The lines of a recording, each once."""

    def __init__(self, trace: Trace) -> None:
        self.numbers: dict[Line, int] = {}

    def index(self, line: Line) -> int:
        return self.numbers.setdefault(line, len(self.numbers))


def _written(record: Event | Node, lines: _Lines) -> dict[str, Any]:
    """A record without what is as in all others."""
    written = {}
    for entry in fields(record):
        value = getattr(record, entry.name)
        if entry.name == "place":
            written["place"] = [value.instruction, *(lines.index(line) for line in (value.user, *value.library))]
        elif entry.name not in ("ref", "index", "number") and value is not None and value != entry.default:
            written[entry.name] = value
    return written


def _value_written(ring: Ring, slot: int) -> dict[str, Any]:
    written: dict[str, Any] = ring.statistics(slot)._asdict()
    seen = ring.seen(slot)
    arrays = seen if isinstance(seen, tuple) else (seen,)
    if seen is not None and sum(array.size for array in arrays) <= MOST_ELEMENTS:
        written["arrays"] = [[str(a.dtype), a.shape, [_number(x) for x in a.ravel().tolist()]] for a in arrays]
        written["is_tuple"] = isinstance(seen, tuple)
    return written


def _number(x: Any) -> Any:
    """JSON has no NaN and no infinity: they become strings, which ``float`` reads."""
    return repr(x) if isinstance(x, float) and x - x != 0 else x


def _read(document: dict[str, Any]) -> Trace:
    trace = Trace(document["keep"])
    lines = []
    for filename, number, function, text in document["lines"]:
        if not (isinstance(filename, str) and isinstance(number, int) and isinstance(text, str)):
            raise ValueError("a line is damaged")
        lines.append(Line(filename, number, function))
        trace.texts[lines[-1]] = text
    for written in document["values"]:
        value, statistics = _value_read(written)
        trace.ring.add_known(value, statistics)
    for number, written in enumerate(document["nodes"], 1):
        trace.all_nodes.take(Node(**_defaults(written, lines), number=number))
    for index, written in enumerate(document["events"]):
        event = Event(**_defaults(written, lines), index=index)
        _check(event, trace)
        trace.events.take(event)
    for node in trace.all_nodes:
        _in_range([*node.inputs], len(trace.all_nodes))
    trace.saved_memory = [Usage(lines[line], int(nbytes), int(count)) for line, nbytes, count in document["memory"]]
    return trace


def _defaults(written: dict[str, Any], lines: list[Line]) -> dict[str, Any]:
    instruction, *numbers = written["place"]
    user, *library = (lines[i] for i in numbers)
    read = {**written, "place": Place(user, tuple(library), int(instruction))}
    for name in ("inputs", "shape"):
        if name in written:
            read[name] = _tuples(written[name])
    return read


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _value_read(written: dict[str, Any]) -> tuple[Any, Statistics]:
    arrays = [
        np.array([float(x) if isinstance(x, str) else x for x in elements], dtype).reshape(shape)
        for dtype, shape, elements in written.pop("arrays", [])
    ]
    is_tuple = written.pop("is_tuple", None)
    value = None if is_tuple is None else tuple(arrays) if is_tuple else arrays[0]
    return value, Statistics(**{**written, "shape": _tuples(written["shape"])})


def _check(event: Event, trace: Trace) -> None:
    if event.kind not in KINDS:
        raise ValueError(f"it has an event {event.kind!r}")
    named = [number for number in (event.node, event.share, event.consumer) if number is not None]
    _in_range([*named, *event.inputs], len(trace.all_nodes))
    if event.value is not None:
        _in_range([event.value + 1], len(trace.ring))


def _in_range(numbers: list[Any], most: int) -> None:
    for number in numbers:
        if not (isinstance(number, int) and 1 <= number <= most):
            raise ValueError(f"it speaks of #{number}, and has #1 to #{most}")
