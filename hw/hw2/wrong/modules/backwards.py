"""A stack that is not filled in reverse: the last attribute comes first."""

from needle.nn.module import _held_by

FILE = "python/needle/nn/module.py"


class Module:
    def _walk(self):
        seen = set()
        stack = [("", self)]
        while stack:
            name, value = stack.pop()
            if id(value) not in seen:
                seen.add(id(value))
                yield name, value
                if isinstance(value, Module):
                    stack.extend(_held_by(vars(value), name))
