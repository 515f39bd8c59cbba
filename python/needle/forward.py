"""Forward-mode automatic differentiation: beside every value its tangent, computed as the graph is made.

For inputs that move with the velocities t, the *tangent* of a node v is the velocity of v. That of an input is given;
that of a node follows from its inputs' by the rule of its op (`Op.jvp`):

    tangent(v) = sum over inputs u of v:  dv/du * tangent(u)

Values and tangents are computed side by side, in the order of the program: forward mode by itself keeps nothing for
later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from .modes import below, interpreting, modes

if TYPE_CHECKING:
    from .autograd import Op, V, Value


class Forward:
    """The interpreter of forward mode: it knows the tangents of the nodes that move, and finds those of new ones.

    A nested `Forward` has tangents of its own. What the inner one computes, values and tangents, the outer one sees and
    differentiates; the inner one never sees the tangents of the outer: so no perturbation is taken for another.
    """

    def __init__(self) -> None:
        self.tangents: WeakKeyDictionary[Value, Any] = WeakKeyDictionary()

    def make(self, kind: type[V], op: Op, inputs: tuple[Value, ...]) -> V:
        """Make the node; and if an input moves, find the node's tangent (`_tangent`) and note it in `tangents`.

        Both are the business of the interpreters below this one (`below`). While this one is in ``modes.constant``,
        nothing that is made moves: that is what `no_grad` says.
        """
        with below(self):
            node = kind.make_from_op(op, inputs)
            tangents = tuple(map(self.tangents.get, inputs))
            if self not in modes.constant and any(t is not None for t in tangents):
                tangent = _tangent(op, tangents, node, inputs)
                if tangent is not None:
                    self.tangents[node] = tangent
        return node


def _tangent(op: Op, tangents: tuple[Any, ...], node: Any, inputs: tuple[Value, ...]) -> Any:
    """What ``op.jvp`` gives, checked; a node that keeps no graph has one while the rule looks at it."""
    from .autograd import Value

    kept = node.op, node.inputs  # none, if nobody wants a graph; a rule looks at node.inputs in any case
    node.op, node.inputs = op, inputs
    try:
        tangent = op.jvp(tangents, node)
    finally:
        node.op, node.inputs = kept
    if tangent is not None and not isinstance(tangent, Value):
        raise TypeError(f"{type(op).__name__}.jvp must give a Tensor, not a {type(tangent).__name__}")
    if tangent is not None and tangent.form().shape != node.form().shape:
        raise ValueError(
            f"{type(op).__name__}.jvp: the tangent has shape {tangent.shape}, but the output has shape {node.shape}; "
            "a tangent has the shape of what moves along it"
        )
    return tangent


def push_forward(
    function: Callable[..., Any], inputs: Sequence[Value], tangents: Sequence[Any]
) -> tuple[Any, Callable[[Any], Any]]:
    """What `function` gives for `inputs`, and the function that tells a node's tangent (None if it does not move).

    The nodes that `function` gets are new ones: it may know the inputs themselves, too, and those do not move. They are
    made by an op, so that the interpreters below see where they come from, and require a gradient if their tangents do,
    so that whoever looks at one alone keeps the graph of both.
    """
    from .tensor import alias

    forward = Forward()
    moving = [alias(x, requires_grad=t is not None and t.requires_grad) for x, t in zip(inputs, tangents)]
    forward.tangents.update((x, t) for x, t in zip(moving, tangents) if t is not None)
    with interpreting(forward):
        result = function(*moving)
    return result, forward.tangents.get
