"""Where a node comes from, and where it goes: questions to what a recorder has written down."""

from __future__ import annotations

from collections import deque

from .recorder import Line, Recorder


def ancestors(recorder: Recorder, number: int) -> list[int]:
    """All that a node was made from, at any distance, and itself: each once, in the order of their numbers."""
    found, waiting = {number}, [number]
    while waiting:
        for x in recorder.nodes[waiting.pop()].inputs:
            if x not in found:
                found.add(x)
                waiting.append(x)
    return sorted(found)


def consumers(recorder: Recorder, number: int) -> list[int]:
    """The nodes that have it among their inputs: each once, in the order of their numbers."""
    return [node.number for node in list(recorder.nodes.values()) if number in node.inputs]


def path(recorder: Recorder, start: int, end: int) -> list[int]:
    """A shortest way from `start` to `end`, each node on it an input of the next; empty if there is none."""
    after: dict[int, int] = {}  # the next node on the way to `end`
    waiting = deque([end])
    while waiting:
        number = waiting.popleft()
        if number == start:
            way = [start]
            while way[-1] != end:
                way.append(after[way[-1]])
            return way
        for x in recorder.nodes[number].inputs:
            if x not in after:
                after[x] = number
                waiting.append(x)
    return []


def where(line: Line | None) -> str:
    """A line by its function and its text; "before" if it is not known."""
    return "before" if line is None else f"{line.function}: {line.text}"


def explain(recorder: Recorder, number: int) -> list[str]:
    """How a node was made, in words: a line for each of its `ancestors`.

    ::

        #1 (2, 3)
        #2 (3, 4) layers.0.weight
        #3 (2, 4) = MatMul(#1, #2)  forward: return x @ w  [MLP.layers.0]

    A node without an op is told by its number, its shape and, if it has one, its name. Any other by its number, its
    shape, its op with the numbers of the inputs, then two spaces, `where` it was made, and if that was in a module two
    spaces and its label in brackets.
    """
    lines = []
    for node in (recorder.nodes[n] for n in ancestors(recorder, number)):
        text = f"#{node.number} {node.shape}"
        if not node.op:
            lines.append(f"{text} {node.name}" if node.name else text)
            continue
        inputs = ", ".join(f"#{x}" for x in node.inputs)
        text += f" = {node.op}({inputs})  {where(node.line)}"
        lines.append(f"{text}  [{node.module}]" if node.module else text)
    return lines
