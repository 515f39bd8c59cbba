"""What Jupyter shows of a Tensor and of a Module: HTML that stands alone, without script, and that computes nothing."""

from __future__ import annotations

from html import escape
from typing import Any

from ..autograd import Value
from ..nn.module import Module
from .drawing import COLOURS, Graph, Node, read
from .layers import HEIGHT, Placed, place
from .records import cut
from .summary import Summary, summary
from .values import bytes_of, copied, statistics_of

#: How many nodes of a graph are drawn, and how many rows of a table are shown.
MOST_NODES, MOST_ROWS = 30, 200

#: Of more bytes no statistics are taken: what is shown must be there at once.
MOST_BYTES = 64 * 2**20

#: How many characters of a text are shown.
LONGEST = 300

MARGIN = 14


def tensor_html(tensor: Value) -> str:
    """Show a tensor: what it is, statistics of its data if that is there, and the graph behind it.

    Parameters
    ----------
    tensor : Tensor or TensorTuple

    Returns
    -------
    str
        HTML with an inline SVG of the 30 nodes nearest to `tensor`; dots stand for the others. A lazy tensor stays
        lazy.
    """
    parts = [f"<code>{_text(repr(tensor))}</code>", f"<div>{_text(_statistics(tensor))}</div>"]
    if tensor.op is not None:
        graph = read(tensor, max_nodes=MOST_NODES)
        more = f"{graph.left_out:,} more nodes behind the dots" if graph.left_out else ""
        parts += [_svg(graph), f"<div><small>{more}</small></div>" if more else ""]
    return f"<div>{''.join(parts)}</div>"


def module_html(module: Module, input_shape: Any = None) -> str:
    """Show a module: its layers with their parameters.

    Parameters
    ----------
    module : Module
    input_shape : optional
        As for `needle.debug.summary`: with it, the table has the layers in the order of their calls, with the shapes of
        their outputs and their flops. Without it the model is not run, and these are not known.

    Returns
    -------
    str
        HTML: a table.
    """
    table = _parameter_table(module) if input_shape is None else _call_table(summary(module, input_shape))
    parameters = module.parameters()
    total = sum(x.size for x in parameters)
    size = sum(bytes_of(x.cached_data) for x in parameters)
    return f"<div>{table}<div>{total:,} parameters, {size:,} bytes</div></div>"


# Tensors --------------------------------------------------------------------------------------------------------------


def _statistics(tensor: Value) -> str:
    if tensor.cached_data is None:
        return "not computed"
    if bytes_of(tensor.cached_data) > MOST_BYTES:
        return "too large for statistics"
    try:
        data = copied(tensor.cached_data)
        return "no values" if data is None else str(statistics_of(data))
    except Exception as error:
        return f"the values cannot be read: {error}"


def _svg(graph: Graph) -> str:
    placed = place({n.number: n.inputs for n in graph.nodes}, {n.number: _width(n) for n in graph.nodes})
    width, height = placed.width + 2 * MARGIN, placed.height + 2 * MARGIN
    lines = "".join(f'<path d="{_path(points)}" fill="none" stroke="#888"/>' for points in placed.lines)
    boxes = "".join(_box(node, placed, node.number in graph.outputs) for node in graph.nodes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-MARGIN} {-MARGIN} {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" style="max-width:100%;height:auto" role="img" '
        f'aria-label="graph of {len(graph.nodes)} nodes, inputs at the top" '
        f'font-family="sans-serif" font-size="11" text-anchor="middle">{lines}{boxes}</svg>'
    )


def _path(points: list[tuple[float, float]]) -> str:
    """From the bottom of one box to the top of another: curves that leave and arrive upright."""
    (x0, y0), *passed, (x1, y1) = points
    path = f"M{x0:.0f} {y0 + HEIGHT / 2:.0f}"
    y0 += HEIGHT / 2
    for x, y in [*passed, (x1, y1 - HEIGHT / 2)]:
        middle = (y0 + y) / 2
        path += f"C{x0:.0f} {middle:.0f} {x:.0f} {middle:.0f} {x:.0f} {y:.0f}"
        x0, y0 = x, y
    return path


def _box(node: Node, placed: Placed, is_output: bool) -> str:
    (x, y), width = placed.boxes[node.number], _width(node)
    title = f"<title>{_text(_tip(node))}</title>"
    dots = f'<text x="{x:.0f}" y="{y - HEIGHT / 2 - 3:.0f}" fill="currentColor">⋯</text>' if node.hidden else ""
    return (
        f'<g>{title}{dots}<rect x="{x - width / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{width:.0f}" '
        f'height="{HEIGHT}" rx="{4 if node.op else HEIGHT / 2:.0f}" fill="{COLOURS[node.kind]}" stroke="#374151" '
        f'stroke-width="{2 if is_output else 1}"/><text x="{x:.0f}" y="{y - 2:.0f}" fill="#111">{_text(_heading(node))}'
        f'</text><text x="{x:.0f}" y="{y + 11:.0f}" fill="#444" font-size="9">{_text(_small(node))}</text></g>'
    )


def _heading(node: Node) -> str:
    return cut(node.name or node.op or node.kind, 28)


def _small(node: Node) -> str:
    return cut(", ".join([node.shape, *node.notes]), 40)


def _tip(node: Node) -> str:
    hidden = [f"{node.hidden} of its inputs are not drawn"] if node.hidden else []
    return "\n".join([f"#{node.number} {node.title}", node.shape, *node.notes, *hidden])


def _width(node: Node) -> float:
    return max(56.0, 6.6 * len(_heading(node)) + 14, 5.2 * len(_small(node)) + 14)


# Modules --------------------------------------------------------------------------------------------------------------


def _parameter_table(module: Module) -> str:
    """A row for each module; a parameter is with the innermost module that is on its path."""
    own: dict[str, list[tuple[str, Any]]] = {path: [] for path, _ in module.named_modules()}
    for name, parameter in module.named_parameters():
        path = max((p for p in own if p == "" or name.startswith(f"{p}.")), key=len)
        own[path].append((name.removeprefix(f"{path}.") if path else name, parameter))
    rows = []
    for path, layer in module.named_modules():
        shapes = ", ".join(f"{name} {x.shape}" for name, x in own[path])
        rows.append([_layer(path), type(layer).__name__, shapes, _number(sum(x.size for _, x in own[path]))])
    return _table(["layer", "class", "parameters", "elements"], rows)


def _call_table(known: Summary) -> str:
    rows = []
    for row in known.rows:
        name = _layer(row.path) + (" again" if row.again else "")
        shape = "" if row.output_shape is None else str(row.output_shape)
        rows.append([name, row.kind, shape, _number(row.parameters), _number(row.flops)])
    return _table(["layer", "class", "output", "parameters", "flops"], rows)


def _layer(path: str) -> str:
    return path or "(model)"


def _number(n: int) -> str:
    return f"{n:,}" if n else ""


def _table(heads: list[str], rows: list[list[str]]) -> str:
    style = ' style="text-align:left"'
    head = "".join(f"<th{style}>{_text(head)}</th>" for head in heads)
    lines = ["".join(f"<td{style}>{_text(cell)}</td>" for cell in row) for row in rows[:MOST_ROWS]]
    if len(rows) > MOST_ROWS:
        lines.append(f'<td{style} colspan="{len(heads)}">{len(rows) - MOST_ROWS:,} more layers</td>')
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _text(text: str) -> str:
    return escape(cut(text, LONGEST))
