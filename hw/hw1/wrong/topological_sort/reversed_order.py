"""From the output to the leaves."""

FILE = "python/needle/reverse.py"


def find_topo_sort(node_list, ends=()):
    order, visited = [], set()

    def visit(node):
        if node not in visited:
            visited.add(node)
            for x in () if node in ends else node.inputs:
                visit(x)
            order.append(node)

    for root in node_list:
        visit(root)
    return order[::-1]
