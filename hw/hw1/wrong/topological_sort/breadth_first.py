"""Level by level."""

FILE = "python/needle/reverse.py"


def find_topo_sort(node_list, ends=()):
    order, level = [], list(dict.fromkeys(node_list))
    while level:
        order = [x for x in order if x not in level]
        order += level
        level = list(dict.fromkeys(x for node in level if node not in ends for x in node.inputs))
    return order[::-1]
