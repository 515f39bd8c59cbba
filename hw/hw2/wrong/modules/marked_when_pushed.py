"""What is pushed is marked as met: the place where a shared parameter comes is another."""

from needle.nn.module import _held_by

FILE = "python/needle/nn/module.py"


class Module:
    def _walk(self):
        seen = {id(self)}
        stack = [("", self)]
        while stack:
            name, value = stack.pop()
            yield name, value
            if isinstance(value, Module):
                held = [pair for pair in _held_by(vars(value), name) if id(pair[1]) not in seen]
                held = list({id(x): (n, x) for n, x in reversed(held)}.values())
                seen.update(id(x) for _, x in held)
                stack.extend(held)
