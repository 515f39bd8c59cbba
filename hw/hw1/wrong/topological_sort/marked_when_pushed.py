"""A node counts as visited when it is put on the stack: others come before their inputs."""

FILE = "python/needle/reverse.py"


def find_topo_sort(node_list, ends=()):
    order = []
    roots = list(dict.fromkeys(node_list))
    visited, stack = set(roots), [(root, False) for root in reversed(roots)]
    while stack:
        node, is_ready = stack.pop()
        if is_ready:
            order.append(node)
            continue
        stack.append((node, True))
        for x in reversed(() if node in ends else node.inputs):
            if x not in visited:
                visited.add(x)
                stack.append((x, False))
    return order
