"""`view`: a graph as one HTML page to look around in, which needs no network and nothing else.

The layout (`needle.debug.layout`) and all texts and statistics are made here; the page's own script (``page.js``) only
zooms, selects, and replays. The data is in the page as JSON.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..autograd import Value
from .drawing import Graph, Node, read
from .layout import HEIGHT, Layout, Line, arrange
from .records import attributes_of
from .values import statistics_of

#: Columns of a histogram.
BINS = 24

#: How much of a title fits in a box.
LONGEST = 40

MARGIN = 24

FREED_NOTE = (
    "The graph behind this tensor was freed by backward(create_graph=False); only what is left of it is drawn. To see "
    "all of it, call view() before backward, or backward(create_graph=True)."
)


def view(tensor: Any, path: str | Path = "graph.html", model: Any = None, max_nodes: int = 2000) -> Path:
    """Write the graph behind `tensor` as one page, to be opened in a browser.

    The page shows the graph in layers. A click on a box shows its op, shape, values and adjoint; a slider (and the
    arrow keys) replays how the graph was built and, where gradients are there, the walk back.

    Parameters
    ----------
    tensor : Tensor, TensorTuple, or sequence of these
        What the graph ends in.
    path : str or Path
        The file to write.
    model : Module or mapping, optional
        Gives names: a Module to its parameters and buffers, a mapping ``{"x": x}`` to any tensors.
    max_nodes : int
        If there are more, those nearest to `tensor` are drawn, and the page says so.

    Returns
    -------
    Path
        The file.

    Notes
    -----
    Nothing is computed for it: a lazy node has no values in the page. Values are those of now: a parameter that was
    updated since shows what it is after the update.
    """
    path = Path(path)
    path.write_text(page(read(tensor, model, max_nodes)), encoding="utf-8")
    return path


def page(graph: Graph) -> str:
    """The text of the page that shows `graph`."""
    layout = arrange(
        {node.number: node.inputs for node in graph.nodes},
        {node.number: _width(node) for node in graph.nodes},
    )
    backward = walked_back(graph)
    facts = [_data(node) for node in graph.nodes]
    data = {"nodes": facts, "outputs": graph.outputs, "backward": backward}
    parts = {
        "{title}": _title(graph),
        "{notes}": "".join(f'<p class="note">{escape(note)}</p>' for note in _notes(graph)),
        "{svg}": _svg(graph, layout),
        "{listing}": "".join(map(_row, facts)),
        "{steps}": str(len(graph.nodes) + len(backward)),
        "{data}": json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
        "{style}": _file("page.css"),
        "{script}": _file("page.js"),
    }
    pieces = [_file("page.html")]
    for mark, content in parts.items():
        pieces = [x for piece in pieces for x in _split(piece, mark, content)]
    return "".join(pieces)


class _Filled(str):
    """Text that has been put in, in which no marks are looked for."""


def _split(piece: str, mark: str, content: str) -> list[str]:
    if isinstance(piece, _Filled) or mark not in piece:
        return [piece]
    before, after = piece.split(mark, 1)
    return [before, _Filled(content), *_split(after, mark, content)]


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def walked_back(graph: Graph) -> list[int]:
    """The nodes that a backward walk from the outputs reaches, in its order; none if no gradient is there."""
    if all(node.value.grad is None for node in graph.nodes):
        return []
    reached = set(graph.outputs)
    order = []
    for node in reversed(graph.nodes):
        if node.number in reached and node.value.requires_grad:
            order.append(node.number)
            reached.update(node.inputs)
    return order


def _title(graph: Graph) -> str:
    ops = sum(node.kind == "op" for node in graph.nodes)
    return f"{len(graph.nodes):,} nodes: {ops:,} operations, {len(graph.nodes) - ops:,} leaves"


def _notes(graph: Graph) -> list[str]:
    notes = [FREED_NOTE] if graph.freed else []
    if graph.left_out:
        notes.append(
            f"{graph.left_out:,} more nodes are behind the boxes with a dashed border and are not drawn (max_nodes)."
        )
    return notes


# What the page tells of a node ----------------------------------------------------------------------------------------


def _data(node: Node) -> dict[str, Any]:
    value = node.value
    return {
        "number": node.number,
        "kind": node.kind,
        "title": _heading(node),
        "name": node.name,
        "op": node.op,
        "attributes": attributes_of(value.op) if node.op else {},
        "shape": node.shape,
        "requires_grad": bool(value.requires_grad),
        "notes": node.notes,
        "inputs": node.inputs,
        "hidden": node.hidden,
        "value": statistics(value),
        "grad": statistics(value.grad),
    }


def statistics(value: Any) -> list[dict[str, Any]]:
    """What is known of the data of a node: one entry per array, none where there is no data.

    Each has the texts of ``min``, ``max``, ``mean`` and ``std`` (of the finite elements), counts of ``nan``, ``inf``
    and ``zero``, the first elements, and a histogram of the finite ones.
    """
    data = value.cached_data if isinstance(value, Value) else None
    arrays = data if isinstance(data, tuple) else () if data is None else (data,)
    return [_statistics(array) for array in arrays]


def _statistics(data: Any) -> dict[str, Any]:
    try:
        array = data if isinstance(data, np.ndarray) else data.peek()
        with np.errstate(all="ignore"):
            return _numbers(array)
    except Exception as error:
        return {"note": f"the values cannot be read: {error}"}


def _numbers(array: np.ndarray) -> dict[str, Any]:
    known = statistics_of(array)
    facts: dict[str, Any] = {
        "size": known.size,
        "bytes": array.nbytes,
        "nan": known.nans,
        "inf": known.infs,
        "zero": known.zeros,
        "first": [_number(x) for x in array.flat[:8]],
    }
    if known.minimum is not None:
        finite = np.asarray(array, "float64")
        finite = finite[np.isfinite(finite)]
        facts |= {"min": _number(known.minimum), "max": _number(known.maximum), "mean": _number(known.mean)}
        facts["std"] = _number(finite.std())
        facts["histogram"] = _histogram(finite)
    return facts


def _histogram(finite: np.ndarray) -> dict[str, Any]:
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return {"low": _number(low), "high": _number(high), "counts": [int(finite.size)]}
    scaled = (finite.astype("float64") / 2 - low / 2) / (high / 2 - low / 2)
    counts = np.bincount(np.minimum((scaled * BINS).astype("int64"), BINS - 1).ravel(), minlength=BINS)
    return {"low": _number(low), "high": _number(high), "counts": counts.tolist()}


def _number(x: Any) -> str:
    return f"{x:.5g}" if isinstance(x, (float, complex, np.inexact)) else str(int(x))


# Boxes and lines ------------------------------------------------------------------------------------------------------


def _heading(node: Node) -> str:
    return node.name or node.op or node.kind


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _short(node: Node) -> str:
    """The heading as it fits in a box; of a long path the end, which tells more."""
    text = _heading(node)
    return text if len(text) <= LONGEST else f"…{text[1 - LONGEST :]}" if node.name else _cut(text, LONGEST)


def _small(node: Node) -> str:
    op = [node.op] if node.name and node.op else []
    return _cut(" · ".join([*op, node.shape, *node.notes]), LONGEST + 8)


def _width(node: Node) -> float:
    return max(84.0, 7.4 * len(_short(node)) + 22, 6.2 * len(_small(node)) + 22)


def _svg(graph: Graph, layout: Layout) -> str:
    width, height = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
    nodes = {node.number: node for node in graph.nodes}
    lines = "".join(map(_line, layout.lines))
    boxes = "".join(_box(node, layout, node.number in graph.outputs) for node in nodes.values())
    return (
        f'<svg id="graph" viewBox="{-MARGIN} {-MARGIN} {width:.0f} {height:.0f}" role="group" '
        'aria-label="The graph, inputs at the top" preserveAspectRatio="xMidYMid meet">'
        f'<g id="lines">{lines}</g><g id="boxes">{boxes}</g></svg>'
    )


def _line(line: Line) -> str:
    """A smooth curve through the points of a line: it leaves and arrives upright, and nowhere swings out."""
    points = line.points
    slopes = [0.0] * len(points)
    for i in range(1, len(points) - 1):
        (x0, y0), (x, _), (x1, y1) = points[i - 1 : i + 2]
        slopes[i] = (x1 - x0) / (y1 - y0) if (x1 - x) * (x - x0) > 0 else 0.0
    path = [f"M{points[0][0]:.0f} {points[0][1]:.0f}"]
    for (x0, y0), (x1, y1), a, b in zip(points, points[1:], slopes, slopes[1:]):
        reach = (y1 - y0) * 0.4
        path.append(f"C{x0 + a * reach:.0f} {y0 + reach:.0f} {x1 - b * reach:.0f} {y1 - reach:.0f} {x1:.0f} {y1:.0f}")
    return f'<path class="line" data-source="{line.source}" data-target="{line.target}" d="{"".join(path)}"/>'


def _box(node: Node, layout: Layout, is_output: bool) -> str:
    box = layout.boxes[node.number]
    classes = " ".join(["node", node.kind, *["output"] * is_output, *["cut"] * bool(node.hidden)])
    heading, small = escape(_short(node)), escape(_small(node))
    radius = 4 if node.op else HEIGHT / 2
    return (
        f'<g class="{classes}" id="n{node.number}" role="button" tabindex="-1" '
        f'aria-label="{escape(f"{node.kind} {node.number}: {_heading(node)}, {_small(node)}")}" '
        f'transform="translate({box.x:.0f} {box.y:.0f})">'
        f'<rect x="{-box.width / 2:.0f}" y="{-HEIGHT / 2:.0f}" width="{box.width:.0f}" height="{HEIGHT}" '
        f'rx="{radius:.0f}"/><text y="-3">{heading}</text><text y="12" class="small">{small}</text></g>'
    )


def _row(facts: dict[str, Any]) -> str:
    """A line of the table of all nodes, which stands for the drawing in print and for those who do not see it."""
    first: dict[str, Any] = next(iter(facts["value"]), {})
    values = f"{first['min']} to {first['max']}" if "min" in first else ""
    made_from = ", ".join(map(str, facts["inputs"]))
    attributes = ", ".join(f"{k}={v}" for k, v in facts["attributes"].items())
    cells = (str(facts["number"]), facts["title"], facts["op"] or facts["kind"], attributes, made_from, facts["shape"])
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in (*cells, values)) + "</tr>"
