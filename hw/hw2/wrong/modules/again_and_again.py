"""What is shared is listed each time."""

from needle.nn.module import _held_by

FILE = "python/needle/nn/module.py"


class Module:
    def _walk(self):
        def visit(name, value, path):
            yield name, value
            if isinstance(value, Module):
                for other, held in _held_by(vars(value), name):
                    if id(held) not in path:
                        yield from visit(other, held, path | {id(held)})

        yield from visit("", self, {id(self)})
