"""Every path is walked by itself: right, but 2^n steps."""

from needle.reverse import in_dtype_of, sum_node_list

FILE = "python/needle/reverse.py"


def compute_gradient_of_variables(output_tensor, out_grad):
    total = {}
    waiting = [(output_tensor, out_grad)]
    while waiting:
        node, share = waiting.pop()
        total.setdefault(node, []).append(share)
        if node.op is not None:
            for x, part in zip(node.inputs, node.op.gradient_as_tuple(share, node)):
                if part is not None and x.requires_grad:
                    waiting.append((x, part))
    for node, parts in total.items():
        if node.is_leaf() or node.keeps_grad:
            node.grad = in_dtype_of(node, sum_node_list(parts))
