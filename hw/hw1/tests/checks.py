"""What the tests share: nodes that are made by hand, and derivatives by central differences.

A gradient is tested on a node that NumPy has computed, so it needs nothing of the assignment but the forward passes
that the rule itself uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from needle.autograd import Op, Tensor


def random(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0, dtype: str = "float64") -> np.ndarray:
    """Numbers between `low` and `high`, the same in every run."""
    drawn = np.random.default_rng([seed, *shape]).uniform(low, high, shape)
    return np.asarray(drawn.round(2), dtype=dtype)


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


def numerical(f: Callable[..., Any], out_grad: Any, *arrays: np.ndarray, step: float = 1e-6) -> list[np.ndarray]:
    """The derivative of ``sum(out_grad * f(*arrays))`` by each array: central differences in float64.

    Element i of it is ``(f(a + h e_i) - f(a - h e_i)) . out_grad / 2h``.
    """
    found = []
    for position, array in enumerate(arrays):
        derivative = np.zeros(array.shape)
        for index in np.ndindex(*array.shape):
            sides = []
            for h in (step, -step):
                moved = [np.array(other, dtype=np.float64) for other in arrays]
                moved[position][index] += h
                sides.append(np.sum(np.asarray(f(*moved)) * out_grad))
            derivative[index] = (sides[0] - sides[1]) / (2 * step)
        found.append(derivative)
    return found


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
