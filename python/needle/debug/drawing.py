"""The graph behind a tensor as text: for Graphviz and for Mermaid.

`read` is what all drawings start from: it walks the graph and writes down what there is to say of each node. Nothing
here computes a node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..autograd import TensorTuple, Value
from ..changes import FREED
from ..display import attributes
from ..nn.module import Module, Parameter
from .names import given_name
from .order import inputs_first

#: Fill colours of the kinds of nodes, on which black text is readable.
COLOURS = {"op": "#dbeafe", "parameter": "#fde68a", "variable": "#fef3c7", "constant": "#e5e7eb"}


@dataclass
class Node:
    """What there is to say of one node.

    Attributes
    ----------
    number : int
        Its place in topological order, from 1: inputs have smaller numbers.
    value : Value
        The node itself.
    kind : str
        ``"op"``, or for a leaf ``"parameter"``, ``"variable"`` (it requires a gradient) or ``"constant"``.
    name : str
        The path of a parameter in its model, or what the caller named it; may be empty.
    inputs : list of int
        The numbers of the nodes it was made from, as far as they are in the drawing.
    hidden : int
        How many of its inputs were left out of the drawing.
    """

    number: int
    value: Value
    kind: str
    name: str = ""
    inputs: list[int] = field(default_factory=list)
    hidden: int = 0

    @property
    def op(self) -> str:
        """The class of its op; empty for a leaf."""
        return "" if self.value.op is None else type(self.value.op).__name__

    @property
    def title(self) -> str:
        """The op and its attributes, or for a leaf its name or kind."""
        if not self.op:
            return self.name or self.kind
        known = attributes(self.value.op)
        return f"{self.op}({known})" if known else self.op

    @property
    def shape(self) -> str:
        """Shape and dtype."""
        return form_of(self.value)

    @property
    def notes(self) -> list[str]:
        """What is unusual about it."""
        lazy = self.value.cached_data is None
        return ["lazy"] * lazy + ["graph freed"] * (self.value.inputs is FREED)


@dataclass
class Graph:
    """The nodes of a drawing in topological order, and how many more there are."""

    nodes: list[Node]
    outputs: list[int]
    left_out: int = 0

    @property
    def freed(self) -> bool:
        """Whether a backward walk has let go of a part of it."""
        return any(node.value.inputs is FREED for node in self.nodes)


class _Freed:
    """Holds the nodes whose inputs are gone: where a walk ends."""

    def __contains__(self, node: object) -> bool:
        return isinstance(node, Value) and node.inputs is FREED


def read(tensor: Any, model: Any = None, max_nodes: int | None = None) -> Graph:
    """Walk the graph behind `tensor`.

    Parameters
    ----------
    tensor : Tensor, TensorTuple, or sequence of these
        What the graph ends in.
    model : Module or mapping, optional
        Gives names: a Module to its parameters and buffers (their paths), a mapping ``{"x": x}`` to any tensors.
    max_nodes : int, optional
        If there are more, those nearest to `tensor` are kept.

    Raises
    ------
    TypeError
        If `tensor` holds something else than tensors.
    """
    outputs = [tensor] if isinstance(tensor, Value) else list(tensor) if isinstance(tensor, Sequence) else [tensor]
    for x in outputs:
        if not isinstance(x, Value):
            raise TypeError(f"a graph is drawn of Tensors, not of a {type(x).__name__}")
    if max_nodes is not None and max_nodes < 1:
        raise ValueError(f"max_nodes must be at least 1; got {max_nodes}")
    order = inputs_first(outputs, _Freed())
    kept = order if max_nodes is None or len(order) <= max_nodes else _nearest(outputs, order, max_nodes)
    names = names_of(model)
    numbers = {id(node): number for number, node in enumerate(order, 1)}
    shown = set(map(id, kept))
    nodes = []
    for node in kept:
        inputs = [numbers[id(x)] for x in node.inputs if id(x) in shown]
        name = given_name(node) or names.get(id(node), "")
        nodes.append(Node(numbers[id(node)], node, _kind(node), name, inputs, len(node.inputs) - len(inputs)))
    ends = [numbers[id(x)] for x in dict.fromkeys(outputs) if id(x) in shown]
    return Graph(nodes, ends, len(order) - len(kept))


def _nearest(outputs: list[Any], order: list[Value], most: int) -> list[Value]:
    """The first nodes of a breadth-first walk from the outputs, in topological order."""
    seen = dict.fromkeys(outputs)
    ring = list(seen)
    while ring and len(seen) < most:
        ring = [x for x in dict.fromkeys(x for node in ring for x in node.inputs) if x not in seen]
        seen.update(dict.fromkeys(ring))
    near = set(list(seen)[:most])
    return [node for node in order if node in near]


def _kind(node: Value) -> str:
    if node.op is not None:
        return "op"
    return "parameter" if isinstance(node, Parameter) else "variable" if node.requires_grad else "constant"


def names_of(model: Any) -> dict[int, str]:
    """The names that a Module or a mapping gives to tensors, by the identity of these."""
    if model is None:
        return {}
    if isinstance(model, Module):
        return {id(x): name for name, x in [*model.named_buffers(), *model.named_parameters()]}
    if isinstance(model, Mapping):
        return {id(x): str(name) for name, x in model.items()}
    raise TypeError(f"model must be a Module or a mapping of names to Tensors, not a {type(model).__name__}")


def form_of(value: Value) -> str:
    """Shape and dtype of a node, whether or not it is computed."""
    try:
        specs = value.spec
        return ", ".join(f"{x.shape} {x.dtype}" for x in (specs if isinstance(value, TensorTuple) else (specs,)))
    except Exception:
        return "unknown shape"


def to_dot(tensor: Any, model: Any = None, max_nodes: int = 1000) -> str:
    """Write the graph behind `tensor` in the language of Graphviz.

    Parameters
    ----------
    tensor : Tensor, TensorTuple, or sequence of these
        What the graph ends in.
    model : Module or mapping, optional
        Gives names: a Module to its parameters and buffers, a mapping ``{"x": x}`` to any tensors.
    max_nodes : int
        If there are more, those nearest to `tensor` are drawn, and a note says how many are missing.

    Returns
    -------
    str
        For ``dot -Tsvg``, say.
    """
    graph = read(tensor, model, max_nodes)
    lines = ["digraph needle {", '  node [shape=box, style="filled,rounded", fontname="sans-serif", fontsize=11];']
    for node in graph.nodes:
        label = "\\n".join(map(_dot_escaped, _label(node)))
        edge = ", penwidth=2" if node.number in graph.outputs else ""
        lines.append(f'  n{node.number} [label="{label}", fillcolor="{COLOURS[node.kind]}"{edge}];')
    lines += [f"  n{a} -> n{b};" for a, b in _edges(graph)]
    if graph.left_out:
        lines.append(f'  cut [label="{_note(graph)}", shape=note, fillcolor="#ffffff", style=dashed];')
        lines += [f"  cut -> n{node.number} [style=dashed];" for node in graph.nodes if node.hidden]
    return "\n".join([*lines, "}", ""])


def to_mermaid(tensor: Any, model: Any = None, max_nodes: int = 200) -> str:
    """Write the graph behind `tensor` in the language of Mermaid, which Markdown pages draw.

    Parameters and result are those of `to_dot`; by default fewer nodes, since Mermaid refuses texts that are long.
    """
    graph = read(tensor, model, max_nodes)
    lines = ["flowchart TD"]
    for node in graph.nodes:
        label = "<br/>".join(map(_mermaid_escaped, _label(node)))
        left, right = ("[", "]") if node.kind == "op" else ("([", "])")
        lines.append(f'  n{node.number}{left}"{label}"{right}:::{node.kind}')
    lines += [f"  n{a} --> n{b}" for a, b in _edges(graph)]
    if graph.left_out:
        lines.append(f'  cut["{_note(graph)}"]')
        lines += [f"  cut -.-> n{node.number}" for node in graph.nodes if node.hidden]
    lines += [f"  classDef {kind} fill:{colour},stroke:#374151,color:#111827" for kind, colour in COLOURS.items()]
    return "\n".join([*lines, ""])


def _label(node: Node) -> list[str]:
    named = [node.name] if node.name and node.op else []
    return [*named, node.title, node.shape, *node.notes]


def _note(graph: Graph) -> str:
    return f"{graph.left_out:,} more nodes behind: not drawn (max_nodes)"


def _edges(graph: Graph) -> Iterator[tuple[int, int]]:
    return ((x, node.number) for node in graph.nodes for x in node.inputs)


def _dot_escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _mermaid_escaped(text: str) -> str:
    codes = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;", "\n": " "}
    return "".join(codes.get(character, character) for character in text)
