"""Tensors throughout, as a student writes it who has not seen the helpers: recursion, sums, `.data`."""

from needle.autograd import Tensor

FILE = "python/needle/nn/module.py"


def _held_by(value, name=""):
    found = []

    def look(value, path):
        if isinstance(value, Module) or isinstance(value, Tensor):
            found.append((".".join(path), value))
        elif isinstance(value, dict):
            for key in value:
                look(value[key], [*path, str(key)])
        elif isinstance(value, (list, tuple)):
            for i in range(len(value)):
                look(value[i], [*path, str(i)])

    look(value, [name] if name else [])
    return found


class Module:
    def _walk(self):
        met = []

        def visit(name, value):
            if any(value is other for _, other in met):
                return
            met.append((name, value))
            if isinstance(value, Module):
                for other, held in _held_by(value.__dict__, name):
                    visit(other, held)

        visit("", self)
        yield from met

    def train(self):
        self.training = True
        for child in self._children():
            child.training = True
        return self

    def eval(self):
        self.training = False
        for child in self._children():
            child.training = False
        return self
