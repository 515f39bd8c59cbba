"""Visited nodes are left out of the list, but their inputs are walked again: 2^n steps."""

FILE = "python/needle/reverse.py"


def find_topo_sort(node_list, ends=()):
    order, visited = [], set()

    def visit(node):
        for x in () if node in ends else node.inputs:
            visit(x)
        if node not in visited:
            visited.add(node)
            order.append(node)

    for root in node_list:
        visit(root)
    return order
