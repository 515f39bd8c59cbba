"""Reverse-mode automatic differentiation: the graph, walked from the output back to the leaves.

For a scalar L and a node v, the *adjoint* of v is dL/dv. The adjoint of the output is given. Every node hands each of
its inputs a share of its own adjoint (`Op.gradient`), and the adjoint of a node is the sum of the shares that its
consumers hand it:

    adjoint(v) = sum over consumers w of v:  adjoint(w) * dw/dv

Walking in reverse topological order, a node is reached when all its consumers have been.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .backend_selection import stamps
from .changes import FREED, FREED_MESSAGE, gradients_of_inputs
from .listening import announce, listeners, walking
from .modes import keeping_graph, modes

if TYPE_CHECKING:
    from .autograd import Op, Value
    from .tensor import Tensor


def find_topo_sort(node_list: Iterable[Value], ends: Container[Value] = ()) -> list[Value]:
    """Give all nodes that `node_list` depends on, and these, so that every node comes after its inputs.

    Post-order depth-first: the inputs of a node are visited in the order of ``node.inputs``, then the node; each node
    once. What is behind the nodes in `ends` is left out. Without recursion, since graphs may be 100,000 nodes deep.
    """
    order: list[Value] = []
    visited: set[Value] = set()
    for root in node_list:
        if root in visited:
            continue
        visited.add(root)
        path = [(root, iter(() if root in ends else root.inputs))]
        while path:
            node, inputs = path[-1]
            for x in inputs:
                if x in visited:
                    continue
                visited.add(x)
                if x.inputs and x not in ends:
                    path.append((x, iter(x.inputs)))
                    break
                order.append(x)  # nothing comes before it
            else:
                path.pop()
                order.append(node)
    return order


def compute_gradient_of_variables(output_tensor: Tensor, out_grad: Tensor) -> None:
    """Store in ``grad`` of every leaf that requires it the derivative of `output_tensor`, weighted by `out_grad`.

    A node that is no leaf keeps its adjoint, too, if it asked by ``retain_grad``.
    """
    for node, adjoint in adjoints([output_tensor], [out_grad]):
        if node.op is None or node.keeps_grad:
            node.grad = in_dtype_of(node, adjoint)


def adjoints(
    outputs: Sequence[Value],
    out_grads: Sequence[Value],
    on_path: set[Value] | None = None,
    ends: Container[Value] = (),
) -> Iterator[tuple[Any, Any]]:
    """Yield the nodes behind `outputs`, each with its adjoint, in reverse topological order.

    At each node, the shares of its adjoint that its consumers handed over are summed; then it hands shares on to its
    inputs: to those in `on_path`, or by default to all that require a gradient. The walk does not go behind `ends`. If
    nobody wants a graph, of the gradient or of what is differentiated, the default walk lets go of each node as it
    leaves it.
    """
    shares: dict[Value, list[Any]] = {}
    for output, out_grad in zip(outputs, out_grads):
        shares.setdefault(output, []).append(out_grad)
    order = find_topo_sort(outputs, ends)
    freeing = on_path is None and not modes.grad_enabled and not modes.differentiating
    while order:
        node = order.pop()
        if node not in shares:
            continue
        adjoint = sum_node_list(shares.pop(node))
        yield node, adjoint
        if node.op is None or node in ends or (on_path is not None and on_path.isdisjoint(node.inputs)):
            continue
        for x, gradient in zip(node.inputs, gradients_of_inputs(node, adjoint)):
            if gradient is not None and (x.requires_grad if on_path is None else x in on_path):
                shares.setdefault(x, []).append(gradient)
        if freeing and node.cached_data is not None:
            node.inputs, node.stamps = FREED, node.stamps[-1:]
            if listeners:
                announce("freed", node)


def gradients(
    outputs: Sequence[Value], out_grads: Sequence[Value], sources: Sequence[Value], through: bool = False
) -> list[Any]:
    """The derivative of `outputs`, weighted by `out_grads`, by each of `sources`; None where there is none.

    Only what lies between them is walked. A source is where the walk ends, unless it goes `through`: then a source that
    another one was made from gets the part that comes by way of the other, too.
    """
    wanted = set(sources)
    ends = () if through else wanted
    on_path: set[Value] = set()
    for node in find_topo_sort(outputs, ends):
        if node in wanted or not on_path.isdisjoint(node.inputs):
            on_path.add(node)
        elif through and node.inputs is FREED:
            raise RuntimeError(FREED_MESSAGE)
    given = [(y, g) for y, g in zip(outputs, out_grads) if y in on_path]
    ys, gs = [y for y, _ in given], [g for _, g in given]
    with walking(ys):
        found = {node: adjoint for node, adjoint in adjoints(ys, gs, on_path, ends) if node in wanted}
    return [in_dtype_of(x, found[x]) if x in found else None for x in sources]


def transposed_twice(op: Op, tangents: Sequence[Any], node: Any) -> Any:
    """The tangent of `node`, by nothing but the ``gradient`` of its op.

    For an adjoint u of the output, ``gradient`` gives J^T u, with J the Jacobian: the transpose of what is wanted. But
    J^T u is linear in u, and its inner product with the tangents t is (J^T u) . t = u . (J t), whose derivative with
    respect to u is J t, whatever u is. So one more walk of reverse mode, along the graph that ``gradient`` has made,
    gives the tangent.
    """
    from .ops import zero_of
    from .tensor import alias

    outside = modes.grad_enabled and any(x is not None and x.requires_grad for x in (*node.inputs, *tangents))
    with keeping_graph(True):
        inputs = tuple(alias(x, requires_grad=True) for x in node.inputs)
        output = alias(node, requires_grad=True)
        output.op, output.inputs = op, inputs
        output.stamps = stamps([x.cached_data for x in (*inputs, output)])
        u = alias(zero_of(node), requires_grad=True)
        shares = op.gradient_as_tuple(u, output)
    moved = [(share, t) for share, t in zip(shares, tangents) if share is not None and t is not None]
    with keeping_graph(outside):
        return gradients([share for share, _ in moved], [t for _, t in moved], [u])[0]


def sum_node_list(node_list: list[Any]) -> Any:
    """The sum of the nodes, without an addition to zero in front; None stands for no share."""
    total = None
    for node in node_list:
        if node is not None:
            total = node if total is None else total + node
    return total


def in_dtype_of(leaf: Any, adjoint: Any) -> Any:
    """The adjoint in the dtype of its leaf; fractions that an integer leaf could not hold stay floats."""
    given, wanted = adjoint.form(), leaf.form()
    if not hasattr(wanted, "dtype") or given.dtype == wanted.dtype:  # a TensorTuple has no dtype
        return adjoint
    return adjoint.astype(leaf.dtype) if leaf.dtype.startswith("float") else adjoint


def backward(tensor: Tensor, out_grad: Tensor | None = None, create_graph: bool = True) -> None:
    """Differentiate `tensor` with respect to every leaf it depends on that requires a gradient.

    Parameters
    ----------
    tensor : Tensor
        What to differentiate; not only a scalar: see `out_grad`.
    out_grad : Tensor, optional
        Adjoint of `tensor`, of its shape; ones by default. What is differentiated is ``(tensor * out_grad).sum()``.
    create_graph : bool
        Whether the gradients are nodes of a graph, so that they can be differentiated in turn. False is what training
        loops want: gradients are plain data, and the graph of `tensor` is freed on the way.

    Notes
    -----
    Gradients are stored in ``grad``, replacing what was there.

    Raises
    ------
    RuntimeError
        If nothing in the graph requires a gradient, if the graph was freed, or if data that a derivative needs was
        replaced or written in place since the forward pass.
    """
    from . import autograd, init

    if not tensor.requires_grad:
        raise RuntimeError("backward: this tensor does not require a gradient, and neither does anything it depends on")
    if out_grad is None:
        out_grad = init.ones(*tensor.shape, device=tensor.device, dtype=tensor.dtype)
    elif not isinstance(out_grad, autograd.Tensor):
        raise TypeError(f"backward: out_grad must be a Tensor, not {type(out_grad).__name__}")
    elif (out_grad.shape, out_grad.device) != (tensor.shape, tensor.device):
        raise ValueError(
            f"backward: out_grad has shape {out_grad.shape} on {out_grad.device}, the tensor {tensor.shape} on "
            f"{tensor.device}; they must agree"
        )
    with keeping_graph(create_graph), walking([tensor]):
        autograd.compute_gradient_of_variables(tensor, out_grad)
