"""`watch_growth`: finds a graph that is kept alive from step to step of a training, and says by what.

Of every node that has a graph a weak reference is kept, by the line that made it and the step in which it did. So it is
known at any time what is left of earlier steps. What holds it is looked for only when it grows.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from weakref import ReferenceType

from ..autograd import Op, Value
from ..listening import Listener, listening
from ..places import Line, users_line
from .holders import Holder, holders

#: In so many earlier steps must have been made what is left, and each fifth of the time must have its share.
STEPS = 5

#: What is left of the last so many steps may be what a program keeps of the step before: it is let go of by itself.
YOUNG = 2

#: How many holders and lines are told of one finding, and for how many lines of a step holders are looked for.
MOST_HOLDERS, MOST_LINES, MOST_SEARCHES = 3, 5, 4


class GrowthWarning(RuntimeWarning):
    """A graph is kept alive across the steps of a training."""


@dataclass(frozen=True)
class Finding:
    """Nodes of many steps that something keeps alive, and the graphs behind them.

    Attributes
    ----------
    line : Line
        Where the nodes were made that are held.
    held_by : tuple of Holder
        What keeps a node of one of the earlier steps alive; empty if nothing with a name does.
    steps : int
        In how many steps what is left was made.
    lines : dict of Line to int
        The lines that made what is left, and how many nodes are left of each.
    """

    line: Line
    held_by: tuple[Holder, ...]
    steps: int
    lines: dict[Line, int]

    @property
    def nodes(self) -> int:
        """How many nodes are left."""
        return sum(self.lines.values())

    def __str__(self) -> str:
        who = [str(replace(holder, hops=0, link="")) for holder in self.held_by] or ["something without a name"]
        rest = sorted((line for line in self.lines if line != self.line), key=lambda line: -self.lines[line])
        lines = [f"the graphs of {self.steps:,} steps ({self.nodes:,} nodes) are kept alive by {who[0]}"]
        lines += [f"  and by {each}" for each in who[1:]]
        lines += [f"  {line}: {line.text}  ({self.lines[line]:,} nodes)" for line in [self.line, *rest][:MOST_LINES]]
        lines += [f"  and {len(self.lines) - MOST_LINES} more lines"] * (len(self.lines) > MOST_LINES)
        return "\n".join(lines)


@contextmanager
def watch_growth() -> Iterator[Growth]:
    """Watch whether graphs are kept alive across the steps of the training in the block.

    A list of losses, for instance, or a sum of them, keeps the whole graph of each step: the memory of a program grows
    until it ends. At the end of the block, a warning names the line that made the nodes, and what holds them.

    Yields
    ------
    Growth
        Its `findings` can be asked within the block and after it, and it prints.

    Warns
    -----
    GrowthWarning
        If a graph grows, over at least five steps. What is replaced at each step (the last loss, moments, a deque with
        a limit) is none, and neither are tensors without a graph, such as ``loss.detach()``.

    Notes
    -----
    Each step of an optimizer ends a step of the training; where there is none, say ``growth.step()`` at the end of the
    loop's body, and it is that which counts.
    """
    growth = Growth()
    try:
        with listening(growth):
            yield growth
    finally:
        growth.look()
        if growth.findings:
            warnings.warn(str(growth), GrowthWarning, stacklevel=3)


class Growth(Listener):
    """What `watch_growth` gives: it counts while the program runs, and prints what it found."""

    def __init__(self) -> None:
        self.steps = 0
        self._by_hand = False
        self._lines: dict[Line, _Made] = {}
        self._found: dict[Line, Finding] = {}
        self._next_note, self._next_look = STEPS + 1, 0

    @property
    def findings(self) -> list[Finding]:
        """What grows; what keeps most nodes alive comes first."""
        return sorted(self._found.values(), key=lambda finding: -finding.nodes)

    def step(self) -> None:
        """End a step of the training. From then on, steps of optimizers end none."""
        self._by_hand = True
        self._end_step()

    def __str__(self) -> str:
        if self._found:
            return "\n".join(map(str, self.findings))
        none = "; say growth.step() at the end of each, where no optimizer does" if self.steps <= STEPS else ""
        return f"no graph is kept alive across the {self.steps:,} steps that were watched{none}"

    # What is told -----------------------------------------------------------------------------------------------------

    def stepped(self, optimizer: Any) -> None:
        """It ends a step of the training, unless that is said by hand."""
        if not self._by_hand:
            self._end_step()

    def made(self, node: Value, op: Op, inputs: tuple[Value, ...]) -> None:
        """Keep a weak reference to a node that has a graph."""
        if node.inputs:
            line = users_line()
            made = self._lines.get(line)
            if made is None:
                made = self._lines[line] = _Made(line, self)
            made.add(node)

    def _end_step(self) -> None:
        self.steps += 1
        if self.steps == self._next_note:
            self._note()
            self._next_look = self.steps + STEPS
        elif self.steps == self._next_look:
            self.look()
            self._next_note = 3 * self.steps // 2

    # Looking ----------------------------------------------------------------------------------------------------------

    def _note(self) -> None:
        """Note what is left of earlier steps: at the next look, it is all there still, or old is replaced by new."""
        _collect(self._lines.values())
        for made in list(self._lines.values()):
            made.noted = set(made.left())

    def look(self) -> None:
        """Look for what grows, and for what holds it: done after 11, 21, 36, ... steps, and at the end of the block."""
        _collect(self._lines.values())
        found = {finding.line: finding for finding in _findings([m for m in list(self._lines.values()) if m.grows()])}
        for line, finding in found.items():
            if line not in self._found or finding.nodes >= self._found[line].nodes:
                self._found[line] = finding
        behind = {line for finding in found.values() for line in finding.lines}
        just_noted = self._next_note <= self.steps
        for line in [line for line in self._found if line not in found]:
            if line in behind or (just_noted and len(self._lines[line].left()) >= STEPS):
                del self._found[line]


class _Made:
    """The nodes that one line made and that are alive, by step."""

    def __init__(self, line: Line, growth: Growth) -> None:
        self.line = line
        self.growth = growth
        self.alive: dict[int, dict[int, _Reference]] = {}
        self.noted: set[int] = set()  # the steps of which something was left when that was noted

    def add(self, node: Value) -> None:
        """A node was made now."""
        reference = _Reference(node, _let_go)
        reference.made, reference.step = self, self.growth.steps
        self.alive.setdefault(reference.step, {})[id(reference)] = reference

    def remove(self, reference: _Reference) -> None:
        """A node was let go of."""
        references = self.alive.get(reference.step, {})
        references.pop(id(reference), None)
        if not references:
            self.alive.pop(reference.step, None)

    def nodes(self, step: int) -> list[Value]:
        """Those made in a step that are alive and still have a graph."""
        references = list(self.alive.get(step, {}).values())
        return [node for reference in references if (node := reference()) is not None and node.inputs]

    def left(self) -> dict[int, int]:
        """How many nodes are left of earlier steps, by step."""
        counts = {step: len(self.nodes(step)) for step in sorted(self.alive) if step <= self.growth.steps - YOUNG}
        return {step: count for step, count in counts.items() if count}

    def grows(self) -> bool:
        """Whether what is `left` grows: since the first of it was made, some of it came in each fifth of the time.

        And all that was noted is there still.
        """
        left = self.left()
        if len(left) < STEPS or not self.noted or not self.noted <= left.keys():
            return False
        first = min(left)
        span = self.growth.steps - 1 - first
        return len({(step - first) * STEPS // span for step in left}) == STEPS


class _Reference(ReferenceType[Value]):
    """A weak reference that knows where its node belongs."""

    __slots__ = ("made", "step")
    made: _Made
    step: int


def _let_go(reference: Any) -> None:
    reference.made.remove(reference)


def _collect(lines: Iterable[_Made]) -> None:
    """Let go of graphs with reference cycles, which nobody holds, if much seems to be left."""
    if any(len(made.alive) >= STEPS for made in list(lines)):
        gc.collect()


# What holds what is left ----------------------------------------------------------------------------------------------


def _findings(growing: list[_Made]) -> list[Finding]:
    """What holds the nodes of `growing` lines: those of a step in the middle are looked at, for all of them."""
    found: dict[Any, Finding] = {}
    while growing:
        steps = max((list(made.left()) for made in growing), key=len)
        step = steps[len(steps) // 2]
        for made, (node, behind) in _ends(growing, step).items():
            held_by = _held_by(node, len(made.left()))
            if held_by is not None:
                counts = {each.line: sum(each.left().values()) for each in behind}
                finding = Finding(made.line, held_by, len(made.left()), counts)
                key = tuple((holder.kind, holder.name, holder.where) for holder in held_by)
                found[key] = _merged(found.get(key, finding), finding)
        growing = [made for made in growing if not made.nodes(step)]
    return list(found.values())


def _merged(one: Finding, other: Finding) -> Finding:
    """Two lines whose nodes the same holds: that of which the nodes themselves are held, rather than what is behind."""
    first, second = sorted((one, other), key=lambda f: ([holder.hops for holder in f.held_by], f.nodes))
    return replace(first, lines=second.lines | first.lines, steps=max(one.steps, other.steps))


def _ends(growing: list[_Made], step: int) -> dict[_Made, tuple[Value, set[_Made]]]:
    """Of the nodes of a step those from which no other was made: one for each line, and the lines of what is behind.

    It must not go on holding the others: `holders` would see that.
    """
    maker = {id(node): made for made in growing for node in made.nodes(step)}
    nodes = {id(node): node for made in growing for node in made.nodes(step)}
    used = {id(x) for node in nodes.values() for x in node.inputs}
    ends: dict[_Made, tuple[Value, set[_Made]]] = {}
    for end in [key for key in nodes if key not in used]:
        waiting, seen = [end], {end}
        while waiting:
            fresh = {id(x) for x in nodes[waiting.pop()].inputs if id(x) in nodes} - seen
            seen |= fresh
            waiting += fresh
        _, behind = ends.get(maker[end], (None, set()))
        ends[maker[end]] = nodes[end], behind | {maker[key] for key in seen}
    largest = sorted(ends, key=lambda made: -len(ends[made][1]))
    return {made: ends[made] for made in largest[:MOST_SEARCHES]}


def _held_by(node: Value, steps: int) -> tuple[Holder, ...] | None:
    """What holds a node of which there are some from so many steps; None for a deque that has not come to its limit."""
    found = holders(node)
    unlimited = [holder for holder in found if holder.limit is None or holder.limit < steps]
    return tuple(unlimited[:MOST_HOLDERS]) if unlimited or not found else None
