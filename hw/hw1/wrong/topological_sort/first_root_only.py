"""Only what is behind the first node of the list."""

FILE = "python/needle/reverse.py"


def find_topo_sort(node_list, ends=()):
    order, visited = [], set()

    def visit(node):
        if node not in visited:
            visited.add(node)
            for x in () if node in ends else node.inputs:
                visit(x)
            order.append(node)

    for root in list(node_list)[:1]:
        visit(root)
    return order
