"""Lists inside of lists are not looked into."""

from needle.autograd import Tensor
from needle.nn import Module

FILE = "python/needle/nn/module.py"


def _held_by(value, name=""):
    if isinstance(value, (Module, Tensor)):
        yield name, value
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        path = f"{name}.{key}" if name else str(key)
        if isinstance(item, (Module, Tensor)):
            yield path, item
        elif isinstance(item, (dict, list, tuple)):
            for inner, each in item.items() if isinstance(item, dict) else enumerate(item):
                if isinstance(each, (Module, Tensor)):
                    yield f"{path}.{inner}", each
