"""Breadth first: a module's own parameters come before those of its children."""

from needle.nn.module import _held_by

FILE = "python/needle/nn/module.py"


class Module:
    def _walk(self):
        seen = set()
        waiting = [("", self)]
        while waiting:
            name, value = waiting.pop(0)
            if id(value) not in seen:
                seen.add(id(value))
                yield name, value
                if isinstance(value, Module):
                    waiting.extend(_held_by(vars(value), name))
