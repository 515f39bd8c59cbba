"""The debugger's own order of a graph's nodes.

`needle.autograd.find_topo_sort` is what a student may be writing just now: watching must work without it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from ..autograd import Value


def inputs_first(outputs: Iterable[Value], ends: Container[Value] = ()) -> list[Value]:
    """Give all nodes behind `outputs`, and these, so that every node comes after its inputs.

    By counting: a node is taken when all the nodes that it went into have been taken, and then the order is turned
    round. What is behind the nodes in `ends` is left out.
    """
    found = list(dict.fromkeys(outputs))
    uses = dict.fromkeys(found, 0)
    for node in found:  # it grows meanwhile
        for x in () if node in ends else node.inputs:
            if x not in uses:
                uses[x] = 0
                found.append(x)
            uses[x] += 1
    order = []
    ready = [node for node in found if uses[node] == 0]
    while ready:
        node = ready.pop()
        order.append(node)
        for x in () if node in ends else node.inputs:
            uses[x] -= 1
            if uses[x] == 0:
                ready.append(x)
    order.reverse()
    return order
