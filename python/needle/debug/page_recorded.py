"""The story of a recording for the page of `view`: its nodes, and its events as the steps of the replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import folding
from .page_story import Box, Lines, Step, Story
from .page_values import Values, parts_of
from .records import Event, Node
from .trace import Trace


def story_of(trace: Trace, names: Mapping[int, str], max_nodes: int) -> Story:
    """Tell a recording up to its node `max_nodes`; `names` gives those of living nodes by identity."""
    nodes = trace.all_nodes[:max_nodes]
    events = list(_until(trace.events, max_nodes))
    groups, backward = folding.of_recording(nodes, events)
    recording = _Recording(trace, events)
    boxes = [recording.box(node, names, node.number in backward) for node in nodes if node.number in groups.group_of]
    story = Story(boxes, groups, recording.steps, recording.values, recording.lines)
    if len(boxes) < len(trace.all_nodes):
        story.notes.append(
            f"The recording has {len(trace.all_nodes):,} nodes; here is what happened until {len(boxes):,} of them "
            "were there (max_nodes)."
        )
    return story


def _until(events: Sequence[Event], most: int) -> Sequence[Event]:
    """The events before the first that is about a node with a larger number."""
    for event in events:
        if event.node is not None and event.node > most:
            return events[: event.index]
    return events


class _Recording:
    """Reads a recording: positions of the slider for events, and what each node had from which position on."""

    def __init__(self, trace: Trace, events: Sequence[Event]) -> None:
        self.trace = trace
        self.values = Values()
        self.lines = Lines(trace.texts)
        self.steps: list[Step] = []
        self._positions: list[int] = []  # by event
        self._shares: dict[int, list[Event]] = {}  # by receiver
        for event in events:
            self._read(event)

    def _read(self, event: Event) -> None:
        last = self.steps[-1] if self.steps else None
        if event.kind == "made" and last is not None and (last.kind, last.node) == ("computed", event.node):
            last.text = f"made and {last.text}"  # eager mode, where both are told at once
        else:
            outputs = list(event.inputs) if event.kind == "backward_began" else []
            line = self.lines.add(event.place.user)
            kind = "no share" if event.kind == "share" and event.share is None else event.kind
            self.steps.append(Step(kind, event.told(), event.node, event.consumer, outputs, line))
        self._positions.append(len(self.steps))
        if event.kind == "share" and event.node is not None:
            self._shares.setdefault(event.node, []).append(event)

    def box(self, node: Node, names: Mapping[int, str], backward: bool) -> Box:
        """What there is to say of a node."""
        living = None if node.ref is None else node.ref()
        leaf = "parameter" if node.kind == "Parameter" else "variable" if node.requires_grad else "constant"
        place = node.place
        return Box(
            number=node.number,
            kind="op" if node.op else leaf,
            op=node.op,
            name=node.name or names.get(id(living), ""),
            attributes=node.attributes,
            shape=f"{node.shape} {node.dtype}" if node.dtype else "unknown shape",
            inputs=list(node.inputs),
            backward=backward,
            requires_grad=node.requires_grad,
            notes=[] if node.made else ["was there before the recording"],
            lines=[self.lines.add(place.user, around=True), *map(self.lines.add, place.library)],
            values=self._values(node.number),
            adjoints=self._adjoints(node.number),
        )

    def _values(self, number: int) -> list[tuple[int, int | None]]:
        ring = self.trace.ring
        return [
            (self._positions[index], self.values.add_kept(slot, ring))
            for index, slot in self.trace.valued.get(number, ())
            if index < len(self._positions)
        ]

    def _adjoints(self, number: int) -> list[tuple[int, int | None]]:
        """The sum of the shares that have been handed over in a walk, after each of them."""
        found: list[tuple[int, int | None]] = []
        walk, slots = None, list[int | None]()
        ready = 0
        for event in self._shares.get(number, ()):
            if event.walk != walk:
                walk, slots, ready = event.walk, [], 0
            if event.share is None:
                continue
            index, slot = next(iter(self.trace.valued.get(event.share, ())), (event.index, None))
            slots.append(slot)
            handed = self._positions[event.index]
            computed = self._positions[index] if index < len(self._positions) else handed
            ready = max(ready, handed, computed)
            if ready > handed:
                found.append((handed, None))
            found.append((ready, self._sum(slots)))
        return found

    def _sum(self, slots: Sequence[int | None]) -> int | None:
        """The sum of recorded values; None if one of them is not there, or not any more."""
        known = [slot for slot in slots if slot is not None]
        ring = self.trace.ring
        if len(known) < len(slots):
            return None
        if len(known) == 1:
            return self.values.add_kept(known[0], ring)
        shares = [parts_of(ring.seen(slot)) for slot in known]
        if not all(shares):
            return None
        return self.values.add(tuple(map(_total, zip(*shares))))


def _total(arrays: Sequence[Any]) -> Any:
    total = arrays[0]
    for array in arrays[1:]:
        total = total + array
    return total
