"""Only Parameters are found, no other Tensors."""

from needle.nn import Module, Parameter

FILE = "python/needle/nn/module.py"


def _held_by(value, name=""):
    if isinstance(value, (Module, Parameter)):
        yield name, value
    elif isinstance(value, (dict, list, tuple)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _held_by(item, f"{name}.{key}" if name else str(key))
