"""`view`: a graph or a recording as one HTML page to look around in, which needs no network and nothing else.

What the page shows is a `Story`, which is in the page as JSON. The scripts of the page lay it out
(``page_layout.js``), draw it (``page_scene.js``), tell what is known of a box (``page_details.js``), and answer keys
and clicks (``page.js``).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from . import page_graph, page_recorded
from .drawing import names_of, read
from .page_story import Box, Story
from .trace import Trace

SCRIPTS = ("page_layout.js", "page_scene.js", "page_details.js", "page.js")


def view(tensor: Any, path: str | Path = "graph.html", model: Any = None, max_nodes: int = 2000) -> Path:
    """Write the graph behind `tensor`, or a recording, as one page to be opened in a browser.

    The page shows the graph in layers. A click on a box shows its op, shape, values, adjoint and source line; a slider
    (and the arrow keys) replays what happened. Of a recording these are its events: what was built, computed, handed
    back; calls of modules and backward walks are boxes that fold. Of a tensor it is the order of its graph and, where
    gradients are there, the walk back.

    Parameters
    ----------
    tensor : Tensor, TensorTuple, sequence of these, or Trace
        What the graph ends in; or a recording of `needle.debug.record`.
    path : str or Path
        The file to write.
    model : Module or mapping, optional
        Gives names: a Module to its parameters and buffers, a mapping ``{"x": x}`` to any tensors. A recording knows
        those of modules that were called.
    max_nodes : int
        If there are more, those nearest to `tensor` are drawn, or the first of a recording, and the page says so.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    TypeError
        If `tensor` is or holds something else than tensors, or `model` is neither a Module nor a mapping.
    ValueError
        If `max_nodes` is less than 1.
    OSError
        If the file cannot be written.

    Notes
    -----
    Nothing is computed for it: a lazy node has no values in the page. Values of a recording are those of each moment,
    as far as it keeps them (``record(keep=...)``). Values of a tensor are those of now: a parameter that was updated
    since shows what it is after the update.
    """
    path = Path(path)
    path.write_text(page(story_of(tensor, model, max_nodes)), encoding="utf-8")
    return path


def story_of(shown: Any, model: Any = None, max_nodes: int = 2000) -> Story:
    """What there is to tell of a tensor or of a recording; parameters as in `view`."""
    if not isinstance(shown, Trace):
        return page_graph.story_of(read(shown, model, max_nodes))
    if max_nodes < 1:
        raise ValueError(f"max_nodes must be at least 1; got {max_nodes}")
    return page_recorded.story_of(shown, names_of(model), max_nodes)


def page(story: Story) -> str:
    """The text of the page that tells `story`."""
    parts = {
        "{title}": _title(story),
        "{notes}": "".join(f'<p class="note">{escape(note)}</p>' for note in story.notes),
        "{listing}": "".join(_row(box, story) for box in story.boxes),
        "{steps}": str(len(story.steps)),
        "{data}": json.dumps(_data(story), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
        "{style}": _file("page.css"),
        "{script}": "".join(map(_file, SCRIPTS)),
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


def _title(story: Story) -> str:
    ops = sum(box.kind == "op" for box in story.boxes)
    return f"{len(story.boxes):,} nodes: {ops:,} operations, {len(story.boxes) - ops:,} leaves"


def _data(story: Story) -> dict[str, Any]:
    return {
        "boxes": [
            {**asdict(box), "title": box.title, "group": story.folding.group_of[box.number]} for box in story.boxes
        ],
        "groups": [asdict(group) for group in story.folding.groups.values()],
        "opened": story.folding.opened,
        "steps": [asdict(step) for step in story.steps],
        "values": story.values.all,
        "lines": story.lines.all,
        "outputs": story.outputs,
    }


def _row(box: Box, story: Story) -> str:
    """A line of the table of all nodes, which stands for the drawing in print and for those who do not see it."""
    known = [value for _, value in box.values if value is not None]
    first: dict[str, Any] = next(iter(story.values.all[known[-1]]), {}) if known else {}
    values = f"{first['min']} to {first['max']}" if "min" in first else ""
    op = f"{box.op}({box.attributes})" if box.attributes else box.op or box.kind
    made_from = ", ".join(map(str, box.inputs))
    path = story.folding.groups[story.folding.group_of[box.number]].path
    line = story.lines.all[box.lines[0]]["short"] if box.lines else ""
    cells = (str(box.number), box.name, op, made_from, box.shape, values, path, line)
    return f"<tr{' class=backward' * box.backward}>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
