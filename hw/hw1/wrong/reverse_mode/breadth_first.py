"""From the output, level by level: a node may hand on before it is complete."""

from needle.reverse import in_dtype_of, sum_node_list

FILE = "python/needle/reverse.py"


def compute_gradient_of_variables(output_tensor, out_grad):
    shares = {output_tensor: [out_grad]}
    queue, seen = [output_tensor], {output_tensor}
    while queue:
        node = queue.pop(0)
        adjoint = sum_node_list(shares[node])
        if node.is_leaf() or node.keeps_grad:
            node.grad = in_dtype_of(node, adjoint)
        if node.op is None:
            continue
        for x, share in zip(node.inputs, node.op.gradient_as_tuple(adjoint, node)):
            if share is not None and x.requires_grad:
                shares.setdefault(x, []).append(share)
                if x not in seen:
                    seen.add(x)
                    queue.append(x)
