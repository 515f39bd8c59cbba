"""What the tests share: nodes that are made by hand.

A gradient is tested on a node that NumPy has computed, so it needs nothing of the assignment but the forward passes
that the rule itself uses.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from needle.autograd import Op, Tensor


def node_of(op: Op, output: Any, *inputs: Tensor) -> Tensor:
    """The node that `op` makes of `inputs`, with an output that NumPy has computed."""
    node = Tensor.make_const(np.asarray(output), requires_grad=True)
    node.op, node.inputs = op, inputs
    return node


def gradients(op: Op, output: Any, out_grad: Any, *arrays: Any) -> tuple[Any, ...]:
    """What ``op.gradient`` gives for each of the inputs, as arrays; checked by `gradient_as_tuple`."""
    node = node_of(op, output, *map(Tensor, arrays))
    return tuple(map(values, op.gradient_as_tuple(Tensor(out_grad), node)))


def values(found: Any) -> Any:
    """The array of a Tensor; anything else as it is."""
    return found.numpy() if isinstance(found, Tensor) else found


def is_graph_of(result: Any, *leaves: Tensor) -> bool:
    """Whether `result` is a Tensor that was made of all `leaves`, by operators: so it can be differentiated again."""
    seen: set[int] = set()
    waiting = [result]
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            waiting += getattr(node, "inputs", ())
    return isinstance(result, Tensor) and all(id(leaf) in seen for leaf in leaves)
