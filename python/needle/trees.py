"""Nested tuples, lists and dicts: what is in them, and the same nesting of other things."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any


def leaves(tree: Any, whole: tuple[type, ...] = ()) -> Iterator[Any]:
    """What is in nested tuples, lists and dicts, in order; instances of `whole` are not looked into."""
    if isinstance(tree, (list, tuple)) and not isinstance(tree, whole):
        for item in tree:
            yield from leaves(item, whole)
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from leaves(item, whole)
    else:
        yield tree


def rebuilt(tree: Any, leaf: Callable[[Any], Any], whole: tuple[type, ...] = ()) -> Any:
    """The same nesting with ``leaf(x)`` in the place of each x in it."""
    if isinstance(tree, (list, tuple)) and not isinstance(tree, whole):
        items = [rebuilt(item, leaf, whole) for item in tree]
        is_named = hasattr(tree, "_fields")  # a named tuple takes its items one by one
        return type(tree)(*items) if is_named else type(tree)(items)
    if isinstance(tree, dict):
        other = copy.copy(tree)  # of the same kind, be it ordered or with a default
        other.update({key: rebuilt(item, leaf, whole) for key, item in tree.items()})
        return other
    return leaf(tree)
