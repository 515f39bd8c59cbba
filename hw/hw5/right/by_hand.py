"""A checkpoint in which contexts are nested one by one, and what is outside is told by a set."""

from needle.backend_selection import stamp
from needle.func.products import finish
from needle.modes import below, differentiating, interpreting, keeping_graph
from needle.recording import recalling, remembering
from needle.reverse import gradients
from needle.tensor import alias

FILE = "python/needle/func/overrides.py"


class _Within:
    def make(self, kind, op, inputs):
        with below(self):
            node = kind.make_from_op(op, inputs)
        self.made.add(node)
        if type(op).__name__ == "Alias":
            return node
        for x in inputs:
            if x in self.made:
                continue
            if x.requires_grad:
                self.captured.setdefault(x)
            else:
                self.constants[x] = stamp(x.cached_data)
        return node


def _without_graph(function, xs, within, draws):
    with remembering(draws):
        with keeping_graph(False):
            inner = list(map(alias, xs))
            with interpreting(within):
                return function(inner)


def _gradients_of_again(function, xs, captured, draws, out_grads):
    inner = []
    with recalling(draws):
        with differentiating():
            for x in xs:
                inner.append(alias(x, requires_grad=True))
            ys = function(inner)[0]
    finish(inner)
    found = gradients(ys, list(out_grads), inner + list(captured))
    return [found[i] for i in range(len(inner) + len(captured))]
