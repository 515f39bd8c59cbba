"""Nobody remembers what was visited."""

FILE = "python/needle/reverse.py"


def find_topo_sort(node_list, ends=()):
    order = []

    def visit(node):
        for x in () if node in ends else node.inputs:
            visit(x)
        order.append(node)

    for root in node_list:
        visit(root)
    return order
