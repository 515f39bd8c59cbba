"""Recursion for a stack, in the order and in the walk; other intermediate nodes."""

from needle.reverse import in_dtype_of

FILE = "python/needle/reverse.py"


def find_topo_sort(node_list, ends=()):
    order, visited = [], set()

    def visit(node):
        if node in visited:
            return
        visited.add(node)
        if node not in ends:
            for x in node.inputs:
                visit(x)
        order.append(node)

    for root in node_list:
        visit(root)
    return order


def compute_gradient_of_variables(output_tensor, out_grad):
    found = {id(output_tensor): [out_grad]}
    for node in find_topo_sort([output_tensor])[::-1]:
        given = found.get(id(node))
        if not given:
            continue
        adjoint = given[0]
        for other in given[1:]:
            adjoint = adjoint + other
        if node.is_leaf():
            if node.requires_grad:
                node.grad = in_dtype_of(node, adjoint)
            continue
        if node.keeps_grad:
            node.grad = in_dtype_of(node, adjoint)
        for i, share in enumerate(node.op.gradient_as_tuple(adjoint, node)):
            if share is None or not node.inputs[i].requires_grad:
                continue
            found.setdefault(id(node.inputs[i]), []).append(share)
