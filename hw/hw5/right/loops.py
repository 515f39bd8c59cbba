"""Explicit loops and lists instead of comprehensions; zeros where others leave terms out; no helper is shared."""

from needle.autograd import sum_node_list
from needle.forward import push_forward

FILE = "python/needle/ops/rules.py"


class Linear:
    def jvp(self, tangents, node):
        from .tuples import zero_of

        given = []
        for i in range(len(tangents)):
            given.append(zero_of(node.inputs[i]) if tangents[i] is None else tangents[i])
        return self(*given)


class Multilinear:
    def jvp(self, tangents, node):
        total = None
        for i, tangent in enumerate(tangents):
            if tangent is None:
                continue
            given = list(node.inputs)
            given[i] = tangent
            term = self(*given)
            total = term if total is None else term + total
        return total


class Elementwise:
    def jvp(self, tangents, node):
        total = None
        for i, tangent in enumerate(tangents):
            if tangent is None:
                continue
            given = self.gradient_as_tuple(tangent, node)[i]
            if given is not None:
                total = given if total is None else total + given
        return total


class Composite:
    def jvp(self, tangents, node):
        result, tangent_of = push_forward(lambda *inputs: self.definition(*inputs), list(node.inputs), list(tangents))
        return sum_node_list([tangent_of(result)])
