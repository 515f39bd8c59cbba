"""Where the boxes of a drawn graph go: in layers, so that every node is below what it was made from.

After Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures", 1981:

1. A node's layer is the length of the longest path to it; but a leaf, and what is made of one leaf only (a bias that
   is broadcast, say), goes right above its first consumer.
2. A line that crosses a layer gets a place in it, like a box without width; lines from one node share these places.
3. In each layer boxes are ordered by the mean place of their neighbours, in sweeps down and up.
4. Given the order, boxes go as near as they can to the mean of their neighbours without touching. Each layer as a
   whole is then shifted, so that a deep graph does not drift away to one side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

#: Pixels: height of a box, between layers, between boxes of a layer, and what a passing line takes.
HEIGHT, LAYER, GAP, LINE = 40, 84, 18, 8

#: How many places lines may take in all layers together; further lines go straight, behind the boxes.
MOST_PLACES = 8000

#: From how many consumers on the lines of a node are drawn in pieces, each from where the one before turned off.
MANY = 8

SWEEPS = 10

#: How much more a passing line weighs than a box where they push each other: a straight line is easier to follow.
STIFFNESS = 4.0

#: What hangs on one leaf weighs less: the way of the data is to be straight, and the parameters stand beside it.
LIGHT = 0.2

#: Over how many layers to each side the middle of a deep graph is averaged.
DRIFT = 12


@dataclass
class Vertex:
    """A box, or the place of a passing line (which has no number).

    ``above`` and ``below`` are its neighbours, each with where the line between arrives at the lower one of the two:
    from -0.5 (the left corner) to 0.5.
    """

    layer: int
    width: float
    number: int = 0
    light: bool = False
    x: float = 0.0
    above: list[tuple[Vertex, float]] = field(default_factory=list)
    below: list[tuple[Vertex, float]] = field(default_factory=list)

    @property
    def y(self) -> float:
        """Of its middle."""
        return self.layer * LAYER + HEIGHT / 2

    @property
    def weight(self) -> float:
        """How hard it is to push."""
        return (1.0 if self.number else STIFFNESS) * (LIGHT if self.light else 1.0)

    def wanted(self, downwards: bool, unit: float | None = None) -> float:
        """The x that its neighbours in the layer before give it; `unit` stands for the widths where places count."""
        if downwards:
            heavy = [link for link in self.above if not link[0].light] or ([] if self.light else self.above)
            wishes = [other.x - port * (unit or self.width) for other, port in heavy]
        else:
            wishes = [other.x + port * (unit or other.width) for other, port in self.below]
        return sum(wishes) / len(wishes) if wishes else self.x


@dataclass
class Line:
    """From the node `source` to input `slot` of the node `target`, through `points`."""

    source: int
    target: int
    slot: int
    points: list[tuple[float, float]]


@dataclass
class Layout:
    """The boxes by number, the lines, and the size of it all."""

    boxes: dict[int, Vertex]
    lines: list[Line]
    width: float
    height: float


def arrange(inputs: dict[int, Sequence[int]], widths: Mapping[int, float]) -> Layout:
    """Place the boxes of a graph.

    Parameters
    ----------
    inputs : dict
        For each node, in topological order, the nodes it was made from.
    widths : mapping
        Of the boxes.
    """
    layers, hanging = layers_of(inputs)
    boxes = {n: Vertex(layers[n], widths[n], n, n in hanging) for n in inputs}
    rows: list[list[Vertex]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for box in boxes.values():
        rows[box.layer].append(box)
    chains = _connect(inputs, boxes, rows)
    _order(rows)
    _spread(rows)
    left = min((v.x - v.width / 2 for row in rows for v in row), default=0.0)
    for row in rows:
        for vertex in row:
            vertex.x -= left
    width = max((v.x + v.width / 2 for row in rows for v in row), default=0.0)
    return Layout(boxes, _lines(inputs, boxes, chains), width, max(len(rows) - 1, 0) * LAYER + HEIGHT)


def layers_of(inputs: dict[int, Sequence[int]]) -> tuple[dict[int, int], set[int]]:
    """The layer of each node, below all its inputs; and what hangs on at most one leaf, right above its consumer."""
    layers: dict[int, int] = {}
    hanging: set[int] = set()
    for n, sources in inputs.items():
        layers[n] = 1 + max((layers[x] for x in sources), default=-1)
        if len(set(sources)) <= 1 and hanging.issuperset(sources):
            hanging.add(n)
    first: dict[int, int] = {}
    for n in reversed(inputs):
        if n in hanging and n in first:
            layers[n] = first[n] - 1
        for x in inputs[n]:
            first[x] = min(first.get(x, layers[n]), layers[n])
    return layers, hanging


def _connect(
    inputs: Mapping[int, Sequence[int]], boxes: dict[int, Vertex], rows: list[list[Vertex]]
) -> dict[int, list[Vertex]]:
    """Link neighbours; for each node the places of its lines, one in each layer down to its last consumer."""
    last = {n: box.layer for n, box in boxes.items()}
    for n, sources in inputs.items():
        for x in sources:
            last[x] = max(last[x], boxes[n].layer)
    chains: dict[int, list[Vertex]] = {}
    room = MOST_PLACES
    for n, box in boxes.items():
        places = last[n] - box.layer - 1
        if places <= 0 or places > room:
            continue
        room -= places
        chains[n] = [Vertex(layer, LINE, light=box.light) for layer in range(box.layer + 1, last[n])]
        for upper, lower in zip([box, *chains[n]], chains[n]):
            _link(upper, lower)
            rows[lower.layer].append(lower)
    for n, sources in inputs.items():
        for x in dict.fromkeys(sources):
            steps = boxes[n].layer - boxes[x].layer
            if steps == 1 or x in chains:
                slots = [slot for slot, source in enumerate(sources) if source == x]
                port = sum(_port(slot, len(sources)) for slot in slots) / len(slots)
                _link(boxes[x] if steps == 1 else chains[x][steps - 2], boxes[n], port)
    return chains


def _port(slot: int, slots: int) -> float:
    """Where an input arrives at the upper edge of a box, from -0.5 to 0.5: from left to right, evenly."""
    return (slot + 1) / (slots + 1) - 0.5


def _link(upper: Vertex, lower: Vertex, port: float = 0.0) -> None:
    upper.below.append((lower, port))
    lower.above.append((upper, port))


def _order(rows: list[list[Vertex]]) -> None:
    """Sort each layer by the mean place of the neighbours above, then below, and so on."""
    for row in rows:
        for place, vertex in enumerate(row):
            vertex.x = place - len(row) / 2
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            row.sort(key=lambda v: v.wanted(down, unit=1.0))
            for place, vertex in enumerate(row):
                vertex.x = place - len(row) / 2


def _spread(rows: list[list[Vertex]]) -> None:
    """Give all vertices their x, near the mean of their neighbours and in the order that they have."""
    for row in rows:
        _settle(row, [0.0] * len(row))
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            _settle(row, [v.wanted(down) for v in row])
        for row in rows:
            _settle(row, [(v.wanted(True) + v.wanted(False)) / 2 for v in row])
    middles = [sum(v.x for v in row) / len(row) for row in rows]
    for layer, row in enumerate(rows):
        around = middles[max(layer - DRIFT, 0) : layer + DRIFT + 1]
        for vertex in row:
            vertex.x -= sum(around) / len(around)


def _settle(row: list[Vertex], wanted: list[float]) -> None:
    """The x of a row nearest to those wanted (least squares) that keep the distances: neighbours that collide pool.

    Measured from where each would be if all were pushed together to the left, the x must not fall along the row: an
    isotonic regression, which pooling solves exactly.
    """
    pushed = [0.0]
    for a, b in pairwise(row):
        pushed.append(pushed[-1] + (a.width + b.width) / 2 + GAP)
    pools: list[tuple[float, float, int]] = []
    for vertex, x, offset in zip(row, wanted, pushed):
        weight, count = vertex.weight, 1
        total = weight * (x - offset)
        while pools and pools[-1][0] / pools[-1][1] >= total / weight:
            other, heavier, more = pools.pop()
            total, weight, count = total + other, weight + heavier, count + more
        pools.append((total, weight, count))
    settled = [total / weight for total, weight, count in pools for _ in range(count)]
    for vertex, x, offset in zip(row, settled, pushed):
        vertex.x = x + offset


def _lines(
    inputs: Mapping[int, Sequence[int]], boxes: dict[int, Vertex], chains: dict[int, list[Vertex]]
) -> list[Line]:
    """The points of every line, from the bottom of its source through its places to the top of its target."""
    uses: dict[int, list[tuple[int, int, int]]] = {}
    for n, sources in inputs.items():
        for slot, x in enumerate(sources):
            uses.setdefault(x, []).append((boxes[n].layer, n, slot))
    lines = []
    for x, targets in uses.items():
        done = 0
        for layer, n, slot in sorted(targets):
            box, source = boxes[n], boxes[x]
            passed = chains.get(x, [])[: max(layer - source.layer - 1, 0)]
            end = (box.x + box.width * _port(slot, len(inputs[n])), box.y - HEIGHT / 2)
            points = [(source.x, source.y + HEIGHT / 2), *((v.x, v.y) for v in passed), end]
            start = min(done, len(passed)) if len(targets) > MANY else 0
            lines.append(Line(x, n, slot, points[start:]))
            done = len(passed)
    return lines
