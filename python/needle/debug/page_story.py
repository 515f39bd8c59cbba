"""What the page of `view` shows, as records that become its JSON: boxes, the groups that hold them, and steps.

A *position* is a place of the page's slider: the number of steps that have been done. Position 0 is before all of them.
"""

from __future__ import annotations

import linecache
from dataclasses import dataclass, field
from typing import Any

from ..places import Line
from .folding import Folding
from .page_values import Values

#: How many lines of source are shown before and after the line that made a node.
AROUND = 2


@dataclass
class Box:
    """A node of the graph.

    Attributes
    ----------
    number : int
    kind : str
        ``"op"``, or for a leaf ``"parameter"``, ``"variable"`` (it requires a gradient) or ``"constant"``.
    op, name, attributes, shape : str
    inputs : list of int
    backward : bool
        Whether a backward walk made it.
    requires_grad : bool
    hidden : int
        How many of its inputs are not in the page.
    notes : list of str
        What is unusual about it.
    lines : list of int
        Where it was made: the user's line, then those of the library; numbers of lines of the story.
    values, adjoints : list of (int, int or None)
        From which position on it has which value, and which adjoint; None for one that is not computed.
    """

    number: int
    kind: str
    op: str
    name: str
    attributes: str
    shape: str
    inputs: list[int]
    backward: bool = False
    requires_grad: bool = False
    hidden: int = 0
    notes: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    values: list[tuple[int, int | None]] = field(default_factory=list)
    adjoints: list[tuple[int, int | None]] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What stands in its box: its name, else its op, else what kind of leaf it is."""
        return self.name or self.op or self.kind


@dataclass
class Step:
    """Something that happened.

    Attributes
    ----------
    kind : str
        One of `needle.debug.records.KINDS`.
    text : str
        What happened, in a line.
    node : int or None
        The node it is about; for a share, the one that receives it.
    consumer : int or None
        Of a share: the node that handed it over.
    outputs : list of int
        Of the beginning of a backward walk: where it begins.
    line : int or None
        The user's line.
    """

    kind: str
    text: str
    node: int | None = None
    consumer: int | None = None
    outputs: list[int] = field(default_factory=list)
    line: int | None = None


class Lines:
    """The lines of source in a page, each once."""

    def __init__(self, texts: dict[Line, str] | None = None) -> None:
        self.all: list[dict[str, Any]] = []
        self._texts = texts or {}
        self._numbers: dict[tuple[Line, bool], int] = {}

    def add(self, line: Line, around: bool = False) -> int:
        """Take in a line, on request with those around it; say which it is."""
        key = line, around
        if key not in self._numbers:
            self._numbers[key] = len(self.all)
            text = self._texts.get(line, "") or line.text
            facts = {"file": line.filename, "short": str(line), "function": line.function, "text": text}
            self.all.append({**facts, "around": _around(line, text) if around else []})
        return self._numbers[key]


def _around(line: Line, text: str) -> list[tuple[int, str]]:
    """The lines before and after, with their numbers; none if the file is gone or is not what it was."""
    source = linecache.getlines(line.filename)
    if not 0 < line.number <= len(source) or source[line.number - 1].strip() != text:
        return []
    first = max(line.number - AROUND, 1)
    return [(first + i, row.rstrip()) for i, row in enumerate(source[first - 1 : line.number + AROUND])]


@dataclass
class Story:
    """All that a page shows.

    Attributes
    ----------
    boxes : list of Box
        So that inputs come before what was made from them.
    folding : Folding
    steps : list of Step
    values : Values
    lines : Lines
    outputs : list of int
        What the graph ends in, where that was asked for.
    notes : list of str
        What a reader must know of the whole.
    """

    boxes: list[Box]
    folding: Folding
    steps: list[Step]
    values: Values
    lines: Lines
    outputs: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
