"""A module that holds its parent is never done with."""

from needle.nn.module import _held_by

FILE = "python/needle/nn/module.py"


class Module:
    def _walk(self):
        yield "", self
        for name, value in _held_by(vars(self)):
            if isinstance(value, Module):
                for inner, other in value._walk():
                    yield f"{name}.{inner}".rstrip("."), other
            else:
                yield name, value
