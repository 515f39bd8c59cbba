"""As the library does it: adjoints as a generator of its own, and the function on top of it."""

from needle.reverse import find_topo_sort, in_dtype_of, sum_node_list

FILE = "python/needle/reverse.py"


def adjoints(outputs, out_grads, on_path=None, ends=()):
    shares = {}
    for output, out_grad in zip(outputs, out_grads):
        shares.setdefault(output, []).append(out_grad)
    for node in reversed(find_topo_sort(outputs, ends)):
        if node in shares:
            adjoint = sum_node_list(shares.pop(node))
            yield node, adjoint
            if node.op is not None and node not in ends:
                for x, share in zip(node.inputs, node.op.gradient_as_tuple(adjoint, node)):
                    wanted = x.requires_grad if on_path is None else x in on_path
                    if share is not None and wanted:
                        shares.setdefault(x, []).append(share)


def compute_gradient_of_variables(output_tensor, out_grad):
    for node, adjoint in adjoints([output_tensor], [out_grad]):
        if node.is_leaf() or node.keeps_grad:
            node.grad = in_dtype_of(node, adjoint)
