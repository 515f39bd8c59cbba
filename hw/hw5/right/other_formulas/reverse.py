"""The inner product of shares and tangents as one number, whose gradient by u is what is wanted."""

from needle.modes import keeping_graph, modes
from needle.ops import summation
from needle.ops.tuples import zero_of
from needle.reverse import gradients
from needle.tensor import alias

FILE = "python/needle/reverse.py"


def transposed_twice(op, tangents, node):
    from needle.autograd import TensorTuple
    from needle.ops import ones_like

    wanted = modes.grad_enabled and any(
        x.requires_grad for x in (*node.inputs, *(t for t in tangents if t is not None))
    )
    with keeping_graph(True):
        u = alias(zero_of(node), requires_grad=True)
        copy = alias(node, requires_grad=True)
        copy.op, copy.inputs = op, tuple(alias(x, requires_grad=True) for x in node.inputs)
        shares = op.gradient_as_tuple(u, copy)
        total = None
        for share, t in zip(shares, tangents):
            if share is None or t is None:
                continue
            pairs = zip(share, t) if isinstance(t, TensorTuple) else [(share, t)]
            for s, v in pairs:
                term = summation(s * v)
                total = term if total is None else total + term
    if total is None:
        return None
    with keeping_graph(wanted):
        return gradients([total], [ones_like(total)], [u])[0]
