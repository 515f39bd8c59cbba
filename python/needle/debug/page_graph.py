"""The story of a graph of which nothing was recorded, for the page of `view`: in the order of the graph."""

from __future__ import annotations

from ..autograd import Value
from ..display import attributes
from ..listening import known
from . import folding
from .drawing import Graph, Node
from .page_story import Box, Lines, Step, Story
from .page_values import Values, parts_of

FREED_NOTE = (
    "The graph behind this tensor was freed by backward(create_graph=False); only what is left of it is drawn. To see "
    "all of it, call view() before backward, or backward(create_graph=True), or show a recording (debug.record)."
)


def story_of(graph: Graph) -> Story:
    """Tell how a graph is built, node after node, and how a backward walk goes through it if gradients are there."""
    lines, values = Lines(), Values()
    steps = [_built(node) for node in graph.nodes]
    steps += walked_back(graph)
    arrived = {step.node: position for position, step in enumerate(steps, 1) if step.kind == "share"}
    boxes = [_box(node, lines, values, arrived.get(node.number, 0)) for node in graph.nodes]
    for step in steps:
        step.line = next((box.lines[0] for box in boxes if box.number == step.node and box.lines), None)
    notes = [FREED_NOTE] if graph.freed else []
    if graph.left_out:
        notes.append(
            f"{graph.left_out:,} more nodes are behind the boxes with a dashed border and are not drawn (max_nodes)."
        )
    groups = folding.of_graph(node.number for node in graph.nodes)
    return Story(boxes, groups, steps, values, lines, graph.outputs, notes)


def _built(node: Node) -> Step:
    if node.op:
        return Step("made", f"made #{node.number} = {node.op}({', '.join(f'#{x}' for x in node.inputs)})", node.number)
    return Step("seen", f"#{node.number} {node.name or node.kind} is there", node.number)


def walked_back(graph: Graph) -> list[Step]:
    """The shares that a backward walk from the outputs hands over, in its order; none if no gradient is there."""
    if all(node.value.grad is None for node in graph.nodes):
        return []
    began = f"backward begins at {', '.join(f'#{n}' for n in graph.outputs)}"
    steps = [Step("backward_began", began, next(iter(graph.outputs), None), outputs=graph.outputs)]
    wanting = {node.number for node in graph.nodes if node.value.requires_grad}
    reached = wanting.intersection(graph.outputs)
    for node in reversed(graph.nodes):
        if node.number not in reached:
            continue
        for x in dict.fromkeys(node.inputs):
            if x in wanting:
                steps.append(Step("share", f"share for #{x} from #{node.number} {node.op}", x, node.number))
                reached.add(x)
    return [*steps, Step("backward_ended", "backward has ended", steps[0].node)]


def _box(node: Node, lines: Lines, values: Values, arrived: int) -> Box:
    value = node.value
    facts = known(value)
    return Box(
        number=node.number,
        kind=node.kind,
        op=node.op,
        name=node.name,
        attributes=attributes(value.op),
        shape=node.shape,
        inputs=node.inputs,
        requires_grad=bool(value.requires_grad),
        hidden=node.hidden,
        notes=node.notes,
        lines=[] if facts is None or facts.line is None else [lines.add(facts.line, around=True)],
        values=_data(value, values, 0),
        adjoints=_data(value.grad, values, arrived),
    )


def _data(value: object, values: Values, since: int) -> list[tuple[int, int | None]]:
    arrays = parts_of(value.cached_data) if isinstance(value, Value) else ()
    return [(since, values.add(arrays))] if arrays else []
