"""Boxes that fold: which nodes of a graph stand in which group, and which groups are open at first.

The groups of a recording are calls of modules, backward walks and, if there are several, steps of an optimizer. Within
a backward walk, what differentiates the nodes of a call stands in a group that mirrors it. A group that holds too much
is divided into runs of what follows one another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .names import BY_MODULE
from .records import Event, Node

#: A group with more members than this is divided into runs.
MOST_MEMBERS = 100

#: The members of a run.
RUN = 32

#: At most so many boxes and open groups are to be seen when a page opens, unless there are more outside of all groups.
MOST_VISIBLE = 50

ROOT = 0


@dataclass
class Group:
    """A box that holds others.

    Attributes
    ----------
    number, parent : int
        The outermost one is `ROOT`, and its own parent.
    kind : str
        ``"call"``, ``"walk"``, ``"step"``, ``"shared"`` (leaves that several steps use) or ``"run"``; of the outermost
        ``""``.
    title : str
        The class of the module, or what else it is.
    path : str
        Of the module in its model.
    backward : bool
        Whether it holds what a backward walk made.
    after : list of int
        Groups that it follows without needing anything of them: of a step, the one before.
    begins_at : list of int
        Of a walk: the nodes that are differentiated.
    """

    number: int
    parent: int
    kind: str = ""
    title: str = ""
    path: str = ""
    backward: bool = False
    after: list[int] = field(default_factory=list)
    begins_at: list[int] = field(default_factory=list)


@dataclass
class Folding:
    """The groups, by number; the group of each node; which groups are open at first."""

    groups: dict[int, Group] = field(default_factory=lambda: {ROOT: Group(ROOT, ROOT)})
    group_of: dict[int, int] = field(default_factory=dict)
    opened: list[int] = field(default_factory=lambda: [ROOT])

    def add(self, parent: int, kind: str, title: str, path: str = "", backward: bool = False) -> int:
        """Make a group, and give its number."""
        number = max(self.groups) + 1
        self.groups[number] = Group(number, parent, kind, title, path, backward)
        return number

    def chain(self, group: int) -> list[int]:
        """The groups that hold a group, outermost first, and itself."""
        found = [group]
        while found[-1] != ROOT:
            found.append(self.groups[found[-1]].parent)
        return found[::-1]

    def common(self, groups: Iterable[int]) -> int:
        """The innermost group that holds all of these."""
        shared = ROOT
        for level in zip(*map(self.chain, groups)):
            if len(set(level)) > 1:
                break
            shared = level[0]
        return shared

    def members(self) -> dict[int, list[tuple[bool, int]]]:
        """What each group holds: pairs of whether it is a group, and its number; in the order of `group_of`."""
        held: dict[int, dict[tuple[bool, int], None]] = {ROOT: {}}
        for node, inner in self.group_of.items():
            item = False, node
            for group in reversed(self.chain(inner)):
                held.setdefault(group, {})[item] = None
                item = True, group
        return {group: list(items) for group, items in held.items()}

    def finished(self) -> Folding:
        """Without empty groups, with runs where there is much, and with as many levels open as can be seen at once."""
        members = self.members()
        self.groups = {number: group for number, group in self.groups.items() if number in members}
        for group, items in members.items():
            while len(items) > MOST_MEMBERS:
                runs = [items[i : i + RUN] for i in range(0, len(items), RUN)]
                items = [self._run(group, run, f"part {i} of {len(runs)}") for i, run in enumerate(runs, 1)]
        self._open()
        return self

    def _run(self, group: int, items: Sequence[tuple[bool, int]], title: str) -> tuple[bool, int]:
        run = self.add(group, "run", title)
        self.groups[run].backward = self.groups[group].backward
        for is_group, number in items:
            if is_group:
                self.groups[number].parent = run
            else:
                self.group_of[number] = run
        return True, run

    def _open(self) -> None:
        members = self.members()
        level, visible = [ROOT], len(members[ROOT])
        while level:
            level = [number for group in level for is_group, number in members[group] if is_group]
            visible += sum(len(members[group]) for group in level)
            if visible > MOST_VISIBLE:
                break
            self.opened += level


def of_graph(numbers: Iterable[int]) -> Folding:
    """The groups of a graph of which nothing was recorded: runs, if there is much."""
    return Folding(group_of=dict.fromkeys(numbers, ROOT)).finished()


def of_recording(nodes: Sequence[Node], events: Sequence[Event]) -> tuple[Folding, set[int]]:
    """The groups of a recording, and the numbers of the nodes that appeared in a backward walk."""
    reader = _Reader(nodes, sum(event.kind == "stepped" for event in events) > 1)
    for event in events:
        reader.read(event)
    reader.place_leaves()
    return reader.folding.finished(), reader.backward


@dataclass
class _Open:
    """A call or a walk that goes on; of a walk, the nodes that nobody has handed over yet."""

    group: int
    is_walk: bool
    waiting: list[int] = field(default_factory=list)


class _Reader:
    """Goes through the events of a recording, and puts each node into its group."""

    def __init__(self, nodes: Sequence[Node], in_steps: bool) -> None:
        self.folding = Folding()
        self.backward: set[int] = set()
        self._nodes = {node.number: node for node in nodes}
        self._open: list[_Open] = []
        self._mirrors: dict[tuple[int, int], int] = {}
        self._receivers: dict[int, set[int]] = {}  # of a share
        self._in_steps, self._steps, self._outside = in_steps, 0, ROOT
        self._next_step()

    def _next_step(self) -> None:
        if self._in_steps:
            self._steps += 1
            before, self._outside = self._outside, self.folding.add(ROOT, "step", f"step {self._steps}")
            self.folding.groups[self._outside].after += [before] * (before != ROOT)

    def _innermost(self) -> int:
        return self._open[-1].group if self._open else self._outside

    def _walks(self) -> list[_Open]:
        return [entry for entry in self._open if entry.is_walk]

    def read(self, event: Event) -> None:
        """Take in the next event."""
        if event.kind == "entered":
            path = event.module
            group = self.folding.add(self._innermost(), "call", event.what, path, bool(self._walks()))
            self._open.append(_Open(group, is_walk=False))
        elif event.kind == "backward_began":
            group = self.folding.add(self._innermost(), "walk", "backward", "", True)
            self.folding.groups[group].begins_at += event.inputs
            self._open.append(_Open(group, is_walk=True))
        elif event.kind in ("left", "backward_ended"):
            self._close()
        elif event.kind == "share":
            self._handed(event)
        elif event.kind == "stepped":
            self._next_step()
        elif event.node is not None and event.node not in self.folding.group_of:
            self._appeared(event.node)

    def _close(self) -> None:
        if self._open:
            ended = self._open.pop()
            self.folding.group_of |= dict.fromkeys(ended.waiting, ended.group)

    def _appeared(self, number: int) -> None:
        node = self._nodes[number]
        if not node.made and (node.inputs or node.requires_grad or node.kind == "Parameter"):  # it was there before
            self.folding.group_of[number] = self._outside
            return
        self.folding.group_of[number] = self._innermost()
        if self._walks():
            self.backward.add(number)
        if self._open and self._open[-1].is_walk:
            self._open[-1].waiting.append(number)

    def _handed(self, event: Event) -> None:
        """What was made since the last share was made for this one; but sums of shares belong to who gets them."""
        if event.node is None or event.consumer is None:
            return
        if event.share is not None:
            self._receivers.setdefault(event.share, set()).add(event.node)
        if self._open and self._open[-1].is_walk:
            walk = self._open[-1]
            for number in walk.waiting:
                owner = self._summed(number) or event.consumer
                self.folding.group_of[number] = self._mirror(walk.group, self.folding.group_of[owner])
            walk.waiting.clear()

    def _summed(self, number: int) -> int | None:
        """The node of whose adjoint this node is a sum, or a part of the sum; None if it is something else."""
        node = self._nodes[number]
        if node.op != "EWiseAdd":
            return None
        receivers = set.intersection(*(self._receivers.get(x, set()) for x in node.inputs))
        if receivers:
            self._receivers[number] = receivers
        return min(receivers, default=None)

    def _mirror(self, walk: int, group: int) -> int:
        """The group within a walk that stands for `group`."""
        chain, around = self.folding.chain(group), self.folding.chain(walk)
        mirrored = walk
        for inner in chain:
            if inner in around:
                continue
            if (mirrored, inner) not in self._mirrors:
                of = self.folding.groups[inner]
                self._mirrors[mirrored, inner] = self.folding.add(mirrored, of.kind, of.title, of.path, True)
            mirrored = self._mirrors[mirrored, inner]
        return mirrored

    def place_leaves(self) -> None:
        """Put leaves right before what first uses them: parameters within modules, others outside."""
        users: dict[int, list[int]] = {}
        for node in self._nodes.values():
            for x in node.inputs:
                users.setdefault(x, []).append(node.number)
        group_of, shared = self.folding.group_of, None
        ranks = {number: float(number) for number in group_of}
        for number in group_of:
            node = self._nodes[number]
            if node.made or node.inputs or number in self.backward or number not in users:
                continue
            forward = [n for n in users[number] if n not in self.backward] or users[number]
            chain = self.folding.chain(self.folding.common(group_of[n] for n in forward))
            inside = node.kind == "Parameter" or node.named_by == BY_MODULE
            outside = [group for group in chain if self.folding.groups[group].kind in ("", "step")]
            group_of[number] = (chain if inside else outside)[-1]
            if self._in_steps and group_of[number] == ROOT:
                shared = shared or self.folding.add(ROOT, "shared", "used by several steps")
                group_of[number] = shared
            ranks[number] = forward[0] - 0.5
        self.folding.group_of = {number: group_of[number] for number in sorted(ranks, key=ranks.__getitem__)}
