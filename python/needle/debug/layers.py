"""Where the boxes of a small drawing go that needs no script: in layers, each node below what it was made from.

A line that crosses a layer gets a place in it, like a narrow box. In sweeps down and up, the places of a layer are
ordered by the mean of their neighbours' places, and then moved as near to it as they can be without touching. What
hangs on one leaf (a parameter, or one that is broadcast) does not count for what is below it: it stands beside the way
of the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

#: Pixels: height of a box, from layer to layer, between the places of a layer, and the width of a passing line.
HEIGHT, LAYER, GAP, LINE = 34, 62, 14, 6

SWEEPS = 6

#: A node's box in its layer, or the place where a line from that node passes in a later one.
Place = tuple[int, int]


@dataclass
class Placed:
    """The middles of the boxes by node, the lines as the points that they go through, and the size of it all."""

    boxes: dict[int, tuple[float, float]]
    lines: list[list[tuple[float, float]]]
    width: float
    height: float


def place(inputs: Mapping[int, Sequence[int]], widths: Mapping[int, float]) -> Placed:
    """Place the boxes of a graph.

    Parameters
    ----------
    inputs : mapping
        For each node, in topological order, the nodes it was made from.
    widths : mapping
        Of the boxes.
    """
    light = hanging(inputs)
    layers = layers_of(inputs)
    routes = [_route(x, n, layers) for n, sources in inputs.items() for x in dict.fromkeys(sources)]
    above: dict[Place, list[Place]] = {}
    below: dict[Place, list[Place]] = {}
    for upper, lower in dict.fromkeys(link for route in routes for link in pairwise(route)):
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    above = {spot: [other for other in near if other[0] not in light] or near for spot, near in above.items()}
    spots = dict.fromkeys([*((n, layer) for n, layer in layers.items()), *(spot for route in routes for spot in route)])
    rows = [[spot for spot in spots if spot[1] == layer] for layer in range(1 + max(layers.values(), default=-1))]
    sizes = {spot: widths[spot[0]] if layers[spot[0]] == spot[1] else LINE for spot in spots}
    x = {spot: float(i) for row in rows for i, spot in enumerate(row)}
    for row, neighbours in _sweeps(rows, above, below):
        row.sort(key=lambda spot: _mean(spot, neighbours, x))
        x.update({spot: i - len(row) / 2 for i, spot in enumerate(row)})
    for row, neighbours in _sweeps(rows, above, below):
        x.update(zip(row, _apart([_mean(spot, neighbours, x) for spot in row], [sizes[spot] for spot in row])))
    left = min((x[spot] - sizes[spot] / 2 for spot in spots), default=0.0)
    at = {spot: (x[spot] - left, spot[1] * LAYER + HEIGHT / 2) for spot in spots}
    lines = [[at[spot] for spot in route] for route in routes]
    width = max((at[spot][0] + sizes[spot] / 2 for spot in spots), default=0.0)
    boxes = {n: at[n, layer] for n, layer in layers.items()}
    return Placed(boxes, lines, width, max(len(rows) - 1, 0) * LAYER + HEIGHT)


def hanging(inputs: Mapping[int, Sequence[int]]) -> set[int]:
    """The nodes behind which there is no other leaf than one."""
    found: set[int] = set()
    for n, sources in inputs.items():
        if len(set(sources)) <= 1 and found.issuperset(sources):
            found.add(n)
    return found


def layers_of(inputs: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """The layer of each node, below all its inputs; what hangs on one leaf only, right above its first consumer."""
    layers: dict[int, int] = {}
    for n, sources in inputs.items():
        layers[n] = 1 + max((layers[x] for x in sources), default=-1)
    light = hanging(inputs)
    first: dict[int, int] = {}
    for n in reversed(list(inputs)):
        if n in light and n in first:
            layers[n] = first[n] - 1
        for x in inputs[n]:
            first[x] = min(first.get(x, layers[n]), layers[n])
    return layers


def _route(source: int, target: int, layers: Mapping[int, int]) -> list[Place]:
    """The places that a line goes through, both ends included."""
    return [*((source, layer) for layer in range(layers[source], layers[target])), (target, layers[target])]


def _sweeps(
    rows: list[list[Place]], above: dict[Place, list[Place]], below: dict[Place, list[Place]]
) -> Iterator[tuple[list[Place], dict[Place, list[Place]]]]:
    """The rows again and again, downwards with the neighbours above, and upwards with those below."""
    for _ in range(SWEEPS):
        yield from ((row, above) for row in rows)
        yield from ((row, below) for row in reversed(rows))


def _mean(spot: Place, neighbours: dict[Place, list[Place]], x: Mapping[Place, float]) -> float:
    """The mean of the neighbours' places, or its own place if it has none."""
    near = neighbours.get(spot)
    return sum(x[other] for other in near) / len(near) if near else x[spot]


def _apart(wanted: list[float], sizes: list[float]) -> list[float]:
    """Positions near those wanted, in the same order, that do not touch: the mean of pushing right and pushing left."""
    right, left = list(wanted), list(wanted)
    least = [(a + b) / 2 + GAP for a, b in pairwise(sizes)]
    for i, distance in enumerate(least):
        right[i + 1] = max(right[i + 1], right[i] + distance)
    for i, distance in reversed(list(enumerate(least))):
        left[i] = min(left[i], left[i + 1] - distance)
    return [(a + b) / 2 for a, b in zip(right, left)]
