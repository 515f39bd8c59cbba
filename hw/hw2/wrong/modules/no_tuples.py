"""Tuples are not looked into."""

from needle.autograd import Tensor
from needle.nn import Module

FILE = "python/needle/nn/module.py"


def _held_by(value, name=""):
    if isinstance(value, (Module, Tensor)):
        yield name, value
    elif isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _held_by(item, f"{name}.{key}" if name else str(key))
