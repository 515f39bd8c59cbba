"""Shares are added into the array of the first one, which others share."""

from needle.reverse import find_topo_sort, in_dtype_of

FILE = "python/needle/reverse.py"


def compute_gradient_of_variables(output_tensor, out_grad):
    shares = {output_tensor: out_grad}
    for node in reversed(find_topo_sort([output_tensor])):
        if node not in shares:
            continue
        adjoint = shares[node]
        if node.is_leaf() or node.keeps_grad:
            node.grad = in_dtype_of(node, adjoint)
        if node.op is None:
            continue
        for x, share in zip(node.inputs, node.op.gradient_as_tuple(adjoint, node)):
            if share is not None and x.requires_grad:
                if x in shares:
                    shares[x].cached_data += share.cached_data
                else:
                    shares[x] = share
