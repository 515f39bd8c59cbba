"""A stack turns the order of the inputs round."""

FILE = "python/needle/reverse.py"


def find_topo_sort(node_list, ends=()):
    order, visited = [], set()
    for root in node_list:
        stack = [(root, False)]
        while stack:
            node, is_ready = stack.pop()
            if is_ready:
                order.append(node)
            elif node not in visited:
                visited.add(node)
                stack.append((node, True))
                stack += [(x, False) for x in (() if node in ends else node.inputs)]
    return order
