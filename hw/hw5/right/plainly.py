"""A dict of tangents that is asked node by node, a finally instead of a context, a function beside the method."""

from needle.forward import Forward, _tangent
from needle.modes import below, modes

FILE = "python/needle/forward.py"


class Forward:  # noqa: F811
    def make(self, kind, op, inputs):
        with below(self):
            node = kind.make_from_op(op, inputs)
        if self in modes.constant:
            return node
        tangents = []
        for x in inputs:
            tangents.append(self.tangents[x] if x in self.tangents else None)
        if [t for t in tangents if t is not None]:
            with below(self):
                tangent = _tangent(op, tuple(tangents), node, inputs)
            if tangent is not None:
                self.tangents[node] = tangent
        return node


def push_forward(function, inputs, tangents):
    from .tensor import alias

    forward = Forward()
    moving = []
    for x, t in zip(inputs, tangents):
        moving.append(alias(x))
        if t is not None:
            forward.tangents[moving[-1]] = t
    before = modes.interpreters
    modes.interpreters = (*before, forward)
    try:
        result = function(*moving)
    finally:
        modes.interpreters = before
    return result, lambda node: forward.tangents.get(node)
