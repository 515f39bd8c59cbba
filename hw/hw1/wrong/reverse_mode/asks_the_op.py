"""op.gradient gives a Tensor or a tuple; a Tensor is taken apart into rows."""

from needle.reverse import find_topo_sort, in_dtype_of, sum_node_list

FILE = "python/needle/reverse.py"


def compute_gradient_of_variables(output_tensor, out_grad):
    shares = {output_tensor: [out_grad]}
    for node in reversed(find_topo_sort([output_tensor])):
        if node not in shares:
            continue
        adjoint = sum_node_list(shares[node])
        if node.is_leaf() or node.keeps_grad:
            node.grad = in_dtype_of(node, adjoint)
        if node.op is None:
            continue
        for x, share in zip(node.inputs, node.op.gradient(adjoint, node)):
            if share is not None and x.requires_grad:
                shares.setdefault(x, []).append(share)
